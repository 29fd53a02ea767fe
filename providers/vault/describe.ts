/** From an entitlement's target and an intent to the policy a lease would live under. */
import type { IntentItem, Refusal } from '../../src/model/intent.ts'
import type { Description } from '../../src/provider.ts'
import { compilePolicy, type PolicyDocument } from './compile.ts'
import { engineOf } from './engine.ts'
import { type DynamicTarget, isReservedMount, type Settings, type Target } from './settings.ts'

/** Vault counts in whole seconds; below two, the round trip would leave nothing. */
const FLOOR_SECONDS = 2

export function describeLease(request: {
  settings: Settings
  target: Target
  intent: readonly IntentItem[]
}): Description | Refusal {
  const { settings, target } = request
  const policy = policyFor(request)
  if ('refused' in policy) return policy
  const { max_lifetime: maxSeconds } = settings
  if (target.kind === 'token') {
    return {
      scope: { kind: 'token', policy },
      target: `${settings.address} token`,
      group: null,
      lifetime: { nativeFloorSeconds: FLOOR_SECONDS, maxSeconds },
      revocability: 'immediate',
      proof: 'lookup',
      custody: 'none',
      residuals: [],
    }
  }
  const { revocability, propagation, proof, residuals, floorSeconds } = engineOf(target)
  return {
    scope: { kind: 'dynamic', policy, engine: target.engine, reads: target.path },
    target: target.path,
    group: null,
    lifetime: { nativeFloorSeconds: floorSeconds, maxSeconds },
    revocability,
    ...(propagation === undefined ? {} : { propagation }),
    proof,
    custody: 'none',
    residuals,
  }
}

/** The ACL policy of one lease; the only thing its token may do. */
export function policyFor(request: {
  settings: Settings
  target: Target
  intent: readonly IntentItem[]
}): PolicyDocument | Refusal {
  const { settings, target, intent } = request
  if (target.kind === 'dynamic') return dynamicPolicy(target, intent)
  const policy = compilePolicy(intent)
  if ('refused' in policy) return policy
  for (const location of Object.keys(policy.path)) {
    const problem = notPlainData(settings, location)
    if (problem) return { refused: problem }
  }
  return policy
}

/** One secret is read once by Mayfly, so the intent can only be exactly that. */
function dynamicPolicy(
  target: DynamicTarget,
  intent: readonly IntentItem[],
): PolicyDocument | Refusal {
  const { path } = target
  const { reads } = engineOf(target)
  const [item, ...more] = intent
  const exact =
    item !== undefined &&
    more.length === 0 &&
    item.locations.join() === path &&
    item.actions.join() === reads &&
    Object.keys(item.constraints ?? {}).length === 0
  if (!exact) {
    return {
      refused: `this target gives exactly the action "${reads}" on "${path}" and nothing else`,
    }
  }
  return compilePolicy(intent)
}

function notPlainData(settings: Settings, location: string): string | undefined {
  if (isReservedMount(location)) {
    return `location "${location}" governs vault itself: a token could give itself more there`
  }
  const mounts = Object.keys(settings.mounts).filter((mount) => !isReservedMount(mount))
  if (mounts.some((mount) => location.startsWith(`${mount}/`))) return undefined
  return `location "${location}" is under none of the plain mounts (${mounts.join(', ') || 'none'}): elsewhere a path could create leases or tokens that outlive this one; name the mount in the provider's "mounts", or use a target of kind "dynamic"`
}
