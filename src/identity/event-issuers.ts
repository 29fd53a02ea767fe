import { compactVerify, errors, type JWTVerifyGetKey } from 'jose'
import { keysOnHostOf, metadataAt } from './discovery.ts'
import type { KeyContext } from './documents.ts'
import { keySetAt } from './key-set.ts'
import { sendWith } from './send.ts'
import { readToken } from './token.ts'

/** A transmitter of security events, as configured. */
export interface EventIssuerConfig {
  readonly name: string
  /** Must equal `iss` to the character. */
  readonly issuer: string
  /** Absent: found in the transmitter's metadata, on the issuer's own host. */
  readonly jwks_uri?: string | undefined
  /** Must be in `aud`. */
  readonly audience: string
  readonly algorithms: readonly string[]
}

/** How a delivery is refused: `err` is registered for RFC 8935 §2.4 (IANA, Security Event Token). */
export interface SetRefusal {
  readonly err: 'invalid_request' | 'invalid_key' | 'invalid_issuer' | 'invalid_audience'
  readonly description: string
}

/** Claims whose signature, issuer and audience are right; what they say is still to be read. */
export type VerifiedSet =
  | { readonly claims: Readonly<Record<string, unknown>>; readonly payload: string }
  | SetRefusal

export interface EventIssuers {
  verify(source: string, token: string): Promise<VerifiedSet>
}

/**
 * read → typ → issuer → audience → algorithm → signature
 *
 * Keys come from the configured issuer alone (P10). A source nobody configured answers like one of
 * another issuer (P11).
 */
export function openEventIssuers(
  configs: readonly EventIssuerConfig[],
  context: KeyContext,
): EventIssuers {
  const known = new Map(
    configs.map((config) => [config.name, { config, keys: keysOf(config, context) }]),
  )
  return {
    async verify(source, token) {
      const read = readToken(token)
      if (typeof read === 'string') return refused('invalid_request', `the SET: ${read}`)
      const { header, payload } = read
      if (!isEventType(header.typ)) {
        return refused('invalid_request', 'the header typ must be secevent+jwt')
      }
      const issuer = known.get(source)
      if (issuer === undefined || payload.iss !== issuer.config.issuer) {
        return refused('invalid_issuer', 'iss is not the issuer of this stream')
      }
      const { audience, algorithms } = issuer.config
      if (![payload.aud].flat().includes(audience)) {
        return refused('invalid_audience', 'aud does not name this receiver')
      }
      if (!algorithms.some((algorithm) => algorithm === header.alg)) {
        return refused('invalid_key', 'the algorithm is not accepted')
      }
      if (!(await isSigned(token, { keys: issuer.keys, algorithms }))) {
        return refused('invalid_key', 'no key of the issuer made this signature')
      }
      return { claims: payload, payload: token.split('.')[1] ?? '' }
    },
  }
}

/** RFC 8417 §2.3; `application/` may stand before it. */
function isEventType(typ: unknown): boolean {
  return typeof typ === 'string' && /^(?:application\/)?secevent\+jwt$/i.test(typ)
}

/** False for what is wrong with the token; throws `unavailable` where keys cannot be had. */
async function isSigned(
  token: string,
  { keys, algorithms }: { keys: JWTVerifyGetKey; algorithms: readonly string[] },
): Promise<boolean> {
  try {
    await compactVerify(token, keys, { algorithms: [...algorithms] })
    return true
  } catch (error) {
    // Also what the runtime says of a signature or key it cannot use.
    if (error instanceof errors.JOSEError || error instanceof TypeError) return false
    throw error
  }
}

function keysOf({ name, issuer, jwks_uri }: EventIssuerConfig, context: KeyContext) {
  return keySetAt(
    {
      issuer: name,
      send: sendWith({}, context),
      find: async (fetchDocument) =>
        jwks_uri ??
        keysOnHostOf(issuer, await metadataAt(fetchDocument, { url: transmitter(issuer), issuer })),
    },
    context,
  )
}

/** Where a transmitter describes itself (SSF 1.0, Transmitter Configuration Metadata). */
export function transmitter(issuer: string): string {
  const { origin, pathname } = new URL(issuer)
  return `${origin}/.well-known/ssf-configuration${pathname.replace(/\/$/, '')}`
}

function refused(err: SetRefusal['err'], description: string): SetRefusal {
  return { err, description }
}
