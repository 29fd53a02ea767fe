import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { jwtVerify } from 'jose'
import { permits } from '../../../deploy/examples/resource-server/grants.ts'
import { jwt } from '../../../providers/jwt/index.ts'
import { steadyClock } from '../../../src/clock.ts'
import { leaseOfName } from '../../../src/ids.ts'
import {
  type AnyProviderDefinition,
  type Minted,
  type OwnTokens,
  type RevokeBatch,
  UpstreamError,
} from '../../../src/provider.ts'
import { Secret } from '../../../src/secret.ts'
import { createSigner } from '../../../src/signing/signer.ts'
import { Faults } from '../../sandbox/faults.ts'
import { fingerprint, Ledger } from '../../sandbox/ledger.ts'

export const ISSUER = 'https://mayfly.example'
export const AUDIENCE = 'https://tickets.example'

/**
 * What a broker is to its own provider, without the broker: a real signer, and a memory of which
 * leases ended. It commits an end before it asks the provider for it, as the lifecycle does.
 */
export class OwnBroker {
  readonly faults = new Faults()
  readonly ledger = new Ledger()
  readonly #dir = mkdtempSync(join(tmpdir(), 'mayfly-own-'))
  readonly #ended = new Set<string>()
  readonly #signer = createSigner({
    keysDir: join(this.#dir, 'keys'),
    clock: steadyClock(
      {
        wall: () => Date.now(),
        monotonic: () => performance.now(),
        after: (ms, run) => {
          const timer = setTimeout(run, ms)
          return () => clearTimeout(timer)
        },
      },
      0,
    ),
  })

  readonly ownTokens: OwnTokens = {
    issuer: ISSUER,
    prepare: (alg) => this.#signer.prepare(alg),
    sign: (alg, claims) => this.#sign(alg, claims),
    honours: async (lease) => {
      const fault = this.faults.take('introspect')
      if (fault?.kind === 'fail') throw new Error('the database is gone')
      if (fault?.kind === 'hang') await new Promise(() => {})
      return !this.#ended.has(lease)
    },
  }

  /** The provider as the broker runs it. */
  get definition(): AnyProviderDefinition {
    return {
      ...jwt,
      create: (context) => {
        const provider = jwt.create({ ...context, ownTokens: this.ownTokens })
        const revoke = async (batch: RevokeBatch) => {
          this.#commitEnd(batch)
          return (await provider.revoke?.(batch)) ?? []
        }
        return { ...provider, revoke }
      },
    }
  }

  /** A resource server that validates, asks whether the token still counts, and looks at its grants. */
  async lets(minted: Minted, action: string, path: string): Promise<boolean> {
    const token = minted.credential.access_token
    if (!(token instanceof Secret)) throw new Error('the credential has no access_token')
    const keys = async ({ kid = '' }) => {
      const jwk = this.#signer.jwks().keys.find((key) => key.kid === kid)
      if (jwk === undefined) throw new Error('no such key')
      return { ...jwk }
    }
    const { payload } = await jwtVerify(token.reveal(), keys, {
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: 'at+jwt',
    })
    if (this.#ended.has(leaseOfName(payload.jti ?? '') ?? '')) return false
    return permits(payload.authorization_details, { action, path })
  }

  async close(): Promise<void> {
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #commitEnd({ orders }: RevokeBatch): void {
    const fault = this.faults.take('end')
    if (fault?.kind === 'lie') return
    if (fault?.kind === 'fail') throw new UpstreamError('unknown', 'the commit failed')
    for (const { lease } of orders) this.#ended.add(lease)
  }

  async #sign(alg: 'ES256' | 'EdDSA', claims: Readonly<Record<string, unknown>>): Promise<Secret> {
    const fault = this.faults.take('sign')
    if (fault?.kind === 'fail') {
      if (fault.status === 403) throw new UpstreamError('refused', 'there is no key', 'NoKey')
      throw new Error(`failed with ${fault.status}`)
    }
    if (fault?.kind === 'hang') await new Promise(() => {})
    if (fault?.kind === 'late') await sleep(fault.ms)
    const signed = await this.#signer.sign({
      alg,
      typ: 'at+jwt',
      claims: { iss: ISSUER, ...claims },
    })
    const name = String(claims.jti)
    this.ledger.mint({
      upstream: 'jwt',
      fingerprint: fingerprint(signed.reveal()),
      name,
      at: Date.now(),
      nativeExpiresAt: Number(claims.exp) * 1_000,
      works: () =>
        !this.#ended.has(leaseOfName(name) ?? '') && Date.now() < Number(claims.exp) * 1_000,
    })
    if (fault?.kind === 'lose' || fault?.kind === 'garbage') {
      throw new TypeError(`cannot read ${signed.reveal()}`)
    }
    return signed
  }
}
