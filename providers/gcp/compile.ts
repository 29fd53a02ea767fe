import { z } from 'zod'
import type { IntentItem, Refusal } from '../../src/model/intent.ts'
import type { DescribeRequest, Description } from '../../src/provider.ts'
import { parseAction } from './action.ts'
import { boundary, compileBoundary } from './boundary.ts'
import { residualsOf } from './residuals.ts'
import type { Settings } from './settings.ts'
import { CLOUD_PLATFORM, isPool, type Target } from './target.ts'
import { vocabulary } from './vocabulary.ts'

/** https://cloud.google.com/iam/docs/reference/credentials/rest: documented 5 minutes to 1 hour. */
export const SHORTEST_SECONDS = 300
export const LONGEST_SECONDS = 3_600
/** https://cloud.google.com/iam/docs/access-change-propagation: 2 minutes typical, 7 or more. */
export const TYPICAL_SECONDS = 120
export const WORST_SECONDS = 420

/** What `describe` compiles and `mint` obeys. */
export const scope = z.discriminatedUnion('mode', [
  /** The token is exchanged for one inside `boundary`, which is exactly the intent. */
  z.strictObject({ mode: z.literal('boundary'), scopes: z.array(z.string()).min(1), boundary }),
  /** The token can do all that the account can, within its OAuth scopes. */
  z.strictObject({ mode: z.literal('atomic'), scopes: z.array(z.string()).min(1) }),
])
export type Scope = z.infer<typeof scope>

/** What a lease on `target` with this intent would be, or why there can be none. */
export function describe(request: DescribeRequest<Settings, Target>): Description | Refusal {
  const { target, intent } = request
  if (intent.length === 0) return { refused: 'the intent is empty' }
  for (const item of intent) {
    const refusal = vocabulary.check(item)
    if (refusal) return refusal
  }
  const compiled = isCloudStorage(intent) ? narrowed(target, intent) : atomic(request)
  if ('refused' in compiled) return compiled
  return {
    scope: compiled,
    target: nameOf(target),
    group: null,
    lifetime: { nativeFloorSeconds: SHORTEST_SECONDS, maxSeconds: LONGEST_SECONDS },
    ...endOf(target),
    proof: isPool(target) && compiled.mode === 'boundary' ? 'canary' : 'expiry',
    custody: 'none',
    residuals: residualsOf(intent),
  }
}

function isCloudStorage(intent: readonly IntentItem[]): boolean {
  return intent.every(
    (item) =>
      item.locations.every((text) => text.startsWith('gs://')) &&
      item.actions.every((text) => parseAction(text)?.kind !== 'scope'),
  )
}

function narrowed(target: Target, intent: readonly IntentItem[]): Scope | Refusal {
  const compiled = compileBoundary(intent)
  if (typeof compiled === 'string') return { refused: compiled }
  return { mode: 'boundary', scopes: target.scopes ?? [CLOUD_PLATFORM], boundary: compiled }
}

/**
 * Outside Cloud Storage a token cannot be narrowed below its account. Exactly the ceiling is then
 * the only request whose answer is not wider than what was asked (P4).
 */
function atomic(request: DescribeRequest<Settings, Target>): Scope | Refusal {
  const { target, intent, ceiling } = request
  if (!ceiling || !sameGrants(ceiling, intent)) {
    return {
      refused:
        'outside Cloud Storage a Google token cannot be narrowed: the intent must be exactly the ceiling of the entitlement',
    }
  }
  const scopes = scopesIn(intent)
  if (!scopes) return { refused: 'OAuth scopes and permissions cannot be mixed in one intent' }
  if (scopes.length === 0) return { mode: 'atomic', scopes: target.scopes ?? [CLOUD_PLATFORM] }
  if (target.scopes) return { refused: 'the target fixes its own scopes: ask for permissions' }
  return { mode: 'atomic', scopes }
}

/** The scopes an intent is made of, none if it is made of permissions, undefined if of both. */
function scopesIn(intent: readonly IntentItem[]): string[] | undefined {
  const actions = intent.flatMap((item) => item.actions)
  const scopes = actions.filter((text) => parseAction(text)?.kind === 'scope')
  if (scopes.length > 0 && scopes.length < actions.length) return undefined
  return [...new Set(scopes)].sort()
}

/** Equal as sets of (action, location), however the items group them. */
function sameGrants(a: readonly IntentItem[], b: readonly IntentItem[]): boolean {
  const [left, right] = [grantsOf(a), grantsOf(b)]
  return left.size === right.size && [...left].every((grant) => right.has(grant))
}

function grantsOf(items: readonly IntentItem[]): Set<string> {
  return new Set(
    items.flatMap((item) =>
      item.actions.flatMap((action) => item.locations.map((place) => `${action} ${place}`)),
    ),
  )
}

function nameOf(target: Target): string {
  if (!isPool(target)) return target.service_account
  const [first = '', ...rest] = target.service_accounts
  return rest.length === 0 ? first : `${first} and ${rest.length} more`
}

function endOf(target: Target): Pick<Description, 'revocability' | 'propagation' | 'slots'> {
  if (!isPool(target)) return { revocability: 'expiry' }
  return {
    revocability: 'propagating',
    propagation: { typicalSeconds: TYPICAL_SECONDS, worstSeconds: WORST_SECONDS },
    slots: target.service_accounts,
  }
}
