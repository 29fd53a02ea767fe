import type { EntitlementConfig } from '../config.ts'
import type { ErrorCode } from '../errors.ts'
import { coversIntent } from '../intent/covers.ts'
import { datasetsOf, impactsOf } from '../intent/impact.ts'
import type { Impact, IntentItem } from '../model/intent.ts'
import { REVOCABILITIES } from '../model/lease.ts'
import { type Lifetime, lifetimeOf } from '../model/lifetime.ts'
import type { Task } from '../model/task.ts'
import type { Description } from '../provider.ts'
import type { ProviderInstance, World } from './broker.ts'

/** What an agent asks for. */
export interface CredentialRequest {
  readonly entitlement: string
  /** Absent: what the task's own intent says about this entitlement. */
  readonly intent: readonly IntentItem[] | undefined
  readonly ttlSeconds: number | undefined
}

/** A request worked out to what would be minted, before anyone has decided about it. */
export interface Plan {
  readonly entitlement: EntitlementConfig
  readonly instance: ProviderInstance
  readonly intent: readonly IntentItem[]
  readonly description: Description
  readonly lifetime: Lifetime
  readonly impact: ReadonlySet<Impact>
  readonly datasets: ReadonlySet<string>
}

/** A rail's refusal: `message` is safe for the agent. */
export interface RailRefusal {
  readonly code: ErrorCode
  readonly rail: string
  readonly message: string
  /** When it may be different: it depends on more than the request. */
  readonly retryAfterSeconds?: number
}

/**
 * find entitlement → take the intent → task covers it → ceiling covers it → compile → bound the
 * lifetime. Pure; used alike by issue, renewal and re-decision.
 */
export function planCredential(
  world: World,
  task: Pick<Task, 'tenant' | 'intent' | 'deadline'>,
  request: CredentialRequest,
  time: { readonly now: number; readonly earliest: number },
): Plan | RailRefusal {
  const entitlement = world.entitlements.get(request.entitlement)
  if (!entitlement?.tenants.includes(task.tenant)) {
    return {
      code: 'not_found',
      rail: 'entitlement',
      message: `no entitlement "${request.entitlement}"`,
    }
  }
  const instance = world.providers.get(entitlement.provider)
  if (!instance) {
    return { code: 'unavailable', rail: 'provider', message: 'its provider is not configured' }
  }
  const { definition, settings } = instance.config
  const { vocabulary } = definition

  const own = task.intent.filter((item) => item.identifier === entitlement.id)
  const intent = (request.intent ?? own).map((item) => ({ ...item, identifier: entitlement.id }))
  if (intent.length === 0) {
    return exceeded('the task said nothing of this entitlement when it was opened')
  }
  const widerThanTask = coversIntent({ ceiling: own, request: intent, vocabulary })
  if (widerThanTask) return exceeded(`wider than the task's intent: ${widerThanTask.refused}`)
  const { ceiling } = entitlement
  const widerThanCeiling = coversIntent({ ceiling, request: intent, vocabulary })
  if (widerThanCeiling) return exceeded(`wider than the ceiling: ${widerThanCeiling.refused}`)

  const { target } = entitlement
  const description = definition.describe({ settings, target, intent, ceiling })
  if ('refused' in description) {
    return { code: 'invalid_intent', rail: 'not-expressible', message: description.refused }
  }
  const lifetime = lifetimeOf({
    ...time,
    requestedSeconds: request.ttlSeconds ?? entitlement.defaultTtlSeconds,
    entitlementMaxSeconds: entitlement.maxTtlSeconds,
    providerMaxSeconds: description.lifetime.maxSeconds,
    nativeFloorSeconds: description.lifetime.nativeFloorSeconds,
    deadline: task.deadline,
  })
  if (!lifetime) {
    return { code: 'task_ended', rail: 'lifetime', message: 'the task is past its deadline' }
  }
  return {
    entitlement,
    instance,
    intent,
    description,
    lifetime,
    impact: impactsOf(intent, vocabulary),
    datasets: datasetsOf(intent, entitlement.datasets, vocabulary),
  }
}

/** Residuals and revocability the entitlement must have accepted. */
export function unacceptable(plan: Plan): RailRefusal | undefined {
  const { entitlement, description } = plan
  const residual = description.residuals.find((one) => !entitlement.acceptResiduals.includes(one))
  if (residual !== undefined) {
    return {
      code: 'intent_exceeded',
      rail: 'residual',
      message: `leaves "${residual}" behind, which this entitlement does not accept`,
    }
  }
  const rank = REVOCABILITIES.indexOf(description.revocability)
  if (rank > REVOCABILITIES.indexOf(entitlement.weakestRevocability)) {
    return {
      code: 'intent_exceeded',
      rail: 'revocability',
      message: `its end is only "${description.revocability}", which this entitlement does not accept`,
    }
  }
  return undefined
}

function exceeded(message: string): RailRefusal {
  return { code: 'intent_exceeded', rail: 'intent', message }
}
