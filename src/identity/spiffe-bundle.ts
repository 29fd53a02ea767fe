import type { JWK, JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { documentFetch, getJson, type KeyContext } from './documents.ts'
import { KEY_MAX_AGE_MS, rememberedKeys } from './keys.ts'
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

/**
 * The JWT authorities of a trust domain. A bundle is believed until its refresh hint, never past
 * `KEY_MAX_AGE_MS`; one with a lower sequence than a known one is an old copy and refused.
 */
export function bundleKeys(place: BundlePlace, context: KeyContext): JWTVerifyGetKey {
  const { issuer } = place
  const readBundle = bundleReader(place, context)
  let sequence: number | undefined
  const read = async () => {
    const bundle = await readBundle()
    const is = bundle.spiffe_sequence
    if (sequence !== undefined && (is === undefined || is < sequence)) {
      throw new Error(`its bundle went back from sequence ${sequence} to ${is ?? 'none'}`)
    }
    sequence = is
    return { keys: jwtAuthorities(bundle), believedMs: believedMs(bundle) }
  }
  return rememberedKeys({ issuer, read }, context)
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

/** `use` must say so, and each has a `kid` (JWT-SVID §4). To jose their `use` would be "sig". */
function jwtAuthorities({ keys }: TrustBundle): JWK[] {
  const authorities = keys.filter(({ use, kid }) => use === 'jwt-svid' && kid !== undefined)
  return authorities.map(({ use: _, ...jwk }) => jwk as JWK) // checked by jose when it is used
}

function believedMs({ spiffe_refresh_hint: hint }: TrustBundle): number {
  const wanted = hint === undefined ? REFRESH_MS : hint * 1_000
  return Math.min(Math.max(wanted, LEAST_REFRESH_MS), KEY_MAX_AGE_MS)
}
