import { createLocalJWKSet, errors, type JWK, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { documentFetch, getJson, type KeyContext } from './documents.ts'
import { isAboutTheToken, KEY_MAX_AGE_MS, keysUnavailable } from './keys.ts'
import { type Credentials, sendWith } from './send.ts'

/** Asked for this often where the bundle gives no hint (SPIFFE Federation §4), */
const REFRESH_MS = 300_000
/** and never more often than this, whatever it hints. */
const LEAST_REFRESH_MS = 10_000

/** A trust bundle as published (SPIFFE Trust Domain and Bundle §4). */
const bundleSchema = z.object({
  keys: z.array(z.looseObject({ use: z.string().optional(), kid: z.string().optional() })).min(1),
  spiffe_sequence: z.int().min(0).optional(),
  spiffe_refresh_hint: z.int().min(0).optional(),
})
export type TrustBundle = z.output<typeof bundleSchema>

/** Where a trust domain's bundle is: `file:PATH` or an endpoint. */
export interface BundlePlace extends Credentials {
  /** The issuer's name. */
  readonly issuer: string
  readonly bundle: string
}

interface Known {
  readonly bundle: TrustBundle
  readonly keys: JWTVerifyGetKey
  readonly readAt: number
}

/**
 * The JWT authorities of a trust domain. A bundle is believed until its refresh hint, never past
 * `KEY_MAX_AGE_MS`; one with a lower sequence than a known one is an old copy and refused.
 */
export function bundleKeys(place: BundlePlace, context: KeyContext): JWTVerifyGetKey {
  const { clock, cooldownMs } = context
  const read = bundleReader(place, context)
  let known: Known | undefined
  let reading: Promise<Known> | undefined
  const refresh = () => {
    reading ??= read()
      .then((bundle) => {
        refuseOlder(bundle, known?.bundle)
        known = { bundle, keys: jwtAuthorities(bundle), readAt: clock.monotonic() }
        return known
      })
      .finally(() => {
        reading = undefined
      })
    return reading
  }
  return async (header, token) => {
    try {
      const age = known && clock.monotonic() - known.readAt
      const fresh = known && age !== undefined && age < believedMs(known.bundle)
      const current = known && fresh ? known : await refresh()
      try {
        return await current.keys(header, token)
      } catch (error) {
        // Rotated since it was read? Look again, but not for every stranger.
        const lookAgain = clock.monotonic() - current.readAt >= cooldownMs
        if (!(error instanceof errors.JWKSNoMatchingKey && lookAgain)) throw error
        return await (await refresh()).keys(header, token)
      }
    } catch (error) {
      throw isAboutTheToken(error) ? error : keysUnavailable(place.issuer, error)
    }
  }
}

function bundleReader(place: BundlePlace, context: KeyContext): () => Promise<TrustBundle> {
  const { bundle, issuer } = place
  const fetchDocument = documentFetch(issuer, sendWith(place, context), context)
  return async () => {
    const document: unknown = bundle.startsWith('file:')
      ? JSON.parse(context.secret(bundle).reveal())
      : await getJson(fetchDocument, bundle)
    const parsed = bundleSchema.safeParse(document)
    if (!parsed.success) throw new Error('what it publishes is no trust bundle')
    return parsed.data
  }
}

/** `use` must say so; keys without `kid` are for X.509-SVIDs (JWT-SVID §4). */
function jwtAuthorities({ keys }: TrustBundle): JWTVerifyGetKey {
  const authorities = keys.filter(({ use, kid }) => use === 'jwt-svid' && kid !== undefined)
  // jose checks every member as a JWK; to it a key for signatures has `use` "sig" or none.
  return createLocalJWKSet({ keys: authorities.map(({ use: _, ...jwk }) => jwk as JWK) })
}

function refuseOlder(next: TrustBundle, before: TrustBundle | undefined): void {
  const [was, is] = [before?.spiffe_sequence, next.spiffe_sequence]
  if (was !== undefined && (is === undefined || is < was)) {
    throw new Error(`its bundle went back from sequence ${was} to ${is ?? 'none'}`)
  }
}

function believedMs({ spiffe_refresh_hint: hint }: TrustBundle): number {
  const wanted = hint === undefined ? REFRESH_MS : hint * 1_000
  return Math.min(Math.max(wanted, LEAST_REFRESH_MS), KEY_MAX_AGE_MS)
}
