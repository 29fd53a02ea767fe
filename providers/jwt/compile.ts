import { z } from 'zod'
import type { IntentItem, Refusal } from '../../src/model/intent.ts'
import type { DescribeRequest, Description } from '../../src/provider.ts'
import { EVERYWHERE } from './location.ts'
import { audiencesOf, type Settings, type Target } from './settings.ts'
import { vocabulary } from './vocabulary.ts'

/** Nobody can take back what an API checks offline, so it lives shorter. */
const LONGEST_INTROSPECTED_SECONDS = 900
const LONGEST_OFFLINE_SECONDS = 300
/** Proxies and servers commonly accept 8 KiB of headers in all; base64 adds a third. */
const MAX_DETAILS_BYTES = 4_096

/** What `describe` compiles and `mint` writes into the token. */
export const scope = z.strictObject({
  audience: z.array(z.string()).min(1),
  authorization_details: z.array(z.looseObject({ type: z.string() })).min(1),
  scope: z.string().optional(),
})
export type Scope = z.infer<typeof scope>

/** What a token for this intent would be, or why there can be none. */
export function describe({
  target,
  intent,
}: DescribeRequest<Settings, Target>): Description | Refusal {
  if (intent.length === 0) return { refused: 'the intent is empty' }
  for (const item of intent) {
    const refusal = vocabulary.check(item)
    if (refusal) return refusal
  }
  const details = intent.map(detailOf)
  const bytes = Buffer.byteLength(JSON.stringify(details))
  if (bytes > MAX_DETAILS_BYTES) {
    return {
      refused: `the intent takes ${bytes} bytes in a token, and at most ${MAX_DETAILS_BYTES} travel safely in a header: ask for parts of it`,
    }
  }
  const audience = audiencesOf(target)
  return {
    scope: { audience, authorization_details: details, ...scopeOf(intent) },
    target: audience.join(' '),
    group: null,
    ...endOf(target),
    custody: 'none',
    residuals: target.residuals,
  }
}

function detailOf(item: IntentItem): Record<string, unknown> {
  const { type, identifier, actions, locations, constraints } = item
  return {
    type,
    ...(identifier === undefined ? {} : { identifier }),
    actions,
    locations,
    ...(constraints === undefined ? {} : { constraints }),
  }
}

/**
 * An API that only reads `scope` sees no locations: it gets one only where there is nothing to see,
 * because the intent is of the whole API and unconstrained (P4).
 */
function scopeOf(intent: readonly IntentItem[]): { readonly scope?: string } {
  const whole = intent.every(
    ({ locations, constraints = {} }) =>
      locations.includes(EVERYWHERE) && Object.keys(constraints).length === 0,
  )
  if (!whole) return {}
  return { scope: [...new Set(intent.flatMap(({ actions }) => actions))].join(' ') }
}

function endOf({
  introspect,
  introspect_cache: cache = 0,
}: Target): Pick<Description, 'lifetime' | 'revocability' | 'propagation' | 'proof'> {
  const nativeFloorSeconds = 1
  if (introspect === undefined) {
    return {
      lifetime: { nativeFloorSeconds, maxSeconds: LONGEST_OFFLINE_SECONDS },
      revocability: 'expiry',
      proof: 'expiry',
    }
  }
  const lifetime = { nativeFloorSeconds, maxSeconds: LONGEST_INTROSPECTED_SECONDS }
  if (cache === 0) return { lifetime, revocability: 'immediate', proof: 'lookup' }
  return {
    lifetime,
    revocability: 'propagating',
    propagation: { typicalSeconds: cache, worstSeconds: cache },
    proof: 'expiry',
  }
}
