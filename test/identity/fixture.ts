import { steadyClock } from '../../src/clock.ts'
import { MayflyError } from '../../src/errors.ts'
import { createIdentity, type Identity } from '../../src/identity/identity.ts'
import { agentSchema, issuerSchema } from '../../src/identity/settings.ts'
import { Secret } from '../../src/secret.ts'
import type { IssuerServer } from './issuer-server.ts'

/** A moment all tests share; the clock stands still unless a test moves it. */
export const NOW = Date.UTC(2027, 0, 15, 12)

export interface IdentityFixture {
  readonly identity: Identity
  /** Moves wall clock and tick forward. */
  advance(ms: number): void
  readonly warnings: Record<string, unknown>[]
}

/** An identity over one issuer named `corp`, whose settings a test may overlay. */
export function identityFor(
  server: IssuerServer,
  overlay: Record<string, unknown> = {},
  agents: readonly Record<string, unknown>[] = [],
  options: { secret?: () => string; own?: readonly string[]; fetch?: typeof fetch } = {},
): IdentityFixture {
  let passed = 0
  const warnings: Record<string, unknown>[] = []
  const clock = steadyClock(
    { wall: () => NOW + passed, monotonic: () => passed, after: () => () => {} },
    0,
  )
  const given = {
    name: 'corp',
    type: 'oidc',
    issuer: server.url,
    audience: 'mayfly',
    jwks_uri: server.jwksUri,
    ...overlay,
  }
  const issuer = issuerSchema.parse(withoutUndefined(given))
  const identity = createIdentity({
    issuers: [issuer],
    ownIdentities: options.own ?? [],
    secret: () => new Secret(options.secret?.() ?? ''),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    agents: agents.map((agent) => agentSchema.parse(agent)),
    clock,
    log: { warn: (data) => warnings.push(data) },
    keyCooldownMs: 0,
  })
  return {
    identity,
    advance: (ms) => {
      passed += ms
    },
    warnings,
  }
}

/** Claims every check accepts. */
export function goodClaims(server: IssuerServer): Record<string, unknown> {
  const iat = NOW / 1_000
  return { iss: server.url, aud: 'mayfly', sub: 'robot', iat, exp: iat + 600 }
}

/** The refusal of a promise, with the reason kept for the operator. */
export async function refusal(
  attempt: Promise<unknown>,
): Promise<{ code: string; message: string; reason: string }> {
  try {
    await attempt
  } catch (error) {
    if (!(error instanceof MayflyError)) throw error
    return { code: error.code, message: error.message, reason: String(error.detail?.reason) }
  }
  throw new Error('it was accepted')
}

/** An overlay takes a field away by saying undefined. */
function withoutUndefined(given: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}
