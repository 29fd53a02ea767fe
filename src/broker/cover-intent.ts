import { MayflyError } from '../errors.ts'
import { coversIntent } from '../intent/covers.ts'
import type { IntentItem } from '../model/intent.ts'
import type { World } from './broker.ts'

/** Each item must name an entitlement of the agent's tenant and be covered by its ceiling (P4). */
export function beyondCeilings(
  world: World,
  { tenant }: { readonly tenant: string },
  intent: readonly IntentItem[],
): MayflyError | undefined {
  for (const [at, item] of intent.entries()) {
    const entitlement = world.entitlements.get(item.identifier ?? '')
    if (!entitlement?.tenants.includes(tenant)) {
      const named = item.identifier === undefined ? 'names no entitlement' : 'is not an entitlement'
      return new MayflyError('invalid_intent', `intent[${at}].identifier ${named} of this agent`)
    }
    const refusal = exceeds(world, item, entitlement.ceiling)
    if (refusal instanceof MayflyError) return refusal
    if (refusal !== undefined) {
      return new MayflyError(
        'intent_exceeded',
        `intent[${at}] is wider than "${entitlement.id}" allows: ${refusal}`,
      )
    }
  }
  return undefined
}

/**
 * Each item must be covered by one item of `outer` about the same entitlement: what a task passes
 * on by what it may do itself, what an executor opens by what was passed on (P4).
 */
export function beyondDelegator(
  world: World,
  outer: readonly IntentItem[],
  intent: readonly IntentItem[],
): MayflyError | undefined {
  for (const [at, item] of intent.entries()) {
    const own = outer.filter(({ identifier }) => identifier === item.identifier)
    const refusal = exceeds(world, item, own)
    if (refusal instanceof MayflyError) return refusal
    if (refusal !== undefined) {
      const message = `intent[${at}] is wider than what it is delegated from: ${refusal}`
      return new MayflyError('intent_exceeded', message)
    }
  }
  return undefined
}

function exceeds(
  world: World,
  item: IntentItem,
  ceiling: readonly IntentItem[],
): string | MayflyError | undefined {
  const entitlement = world.entitlements.get(item.identifier ?? '')
  const instance = world.providers.get(entitlement?.provider ?? '')
  if (!instance) return new MayflyError('unavailable', 'a provider is not configured')
  const { vocabulary } = instance.config.definition
  return coversIntent({ ceiling, request: [item], vocabulary })?.refused
}
