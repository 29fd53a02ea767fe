import type { SigningKey } from './issuer-server.ts'
import { type IssuerServer, json, newKey, startIssuer } from './issuer-server.ts'

/** A trust domain's server: publishes its bundle at `/bundle`, signs JWT-SVIDs. */
export class SpireServer {
  readonly trustDomain: string
  readonly server: IssuerServer
  sequence = 7
  hint: number | undefined = 60
  /** Laid over each JWT authority, or undefined to leave one out. */
  publish: (key: SigningKey) => object | undefined = ({ jwk, kid }) => {
    const { alg: _, ...rest } = jwk
    return { ...rest, kid, use: 'jwt-svid' }
  }

  constructor(trustDomain: string, server: IssuerServer) {
    this.trustDomain = trustDomain
    this.server = server
    server.routes.set('/bundle', (_, response) => json(response, this.bundle()))
  }

  get bundleUrl(): string {
    return `${this.server.url}/bundle`
  }

  /** SPIFFE Trust Domain and Bundle §4: authorities of both kinds of SVID in one key set. */
  bundle(): object {
    const authorities = this.server.keys.map((key) => this.publish(key))
    return {
      keys: [
        { use: 'x509-svid', kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', x5c: ['MIIB'] },
        ...authorities.filter((key) => key !== undefined),
      ],
      spiffe_sequence: this.sequence,
      ...(this.hint === undefined ? {} : { spiffe_refresh_hint: this.hint }),
    }
  }

  /** As the Workload API hands it out: `aud` a list, no `iss`, no `jti`. */
  svid(
    path: string,
    { now, ...claims }: { now: number; [claim: string]: unknown },
    options: { key?: SigningKey; header?: object } = {},
  ): Promise<string> {
    const iat = Math.floor(now / 1_000)
    const sub = `spiffe://${this.trustDomain}${path}`
    const good = { sub, aud: ['mayfly'], iat, exp: iat + 300 }
    return this.server.sign({ ...good, ...claims }, { header: { typ: 'JWT' }, ...options })
  }

  async rotate(kid: string): Promise<void> {
    this.server.keys = [await newKey(kid)]
    this.sequence += 1
  }

  close(): Promise<void> {
    return this.server.close()
  }
}

export async function startSpire(trustDomain: string): Promise<SpireServer> {
  return new SpireServer(trustDomain, await startIssuer())
}
