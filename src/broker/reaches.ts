import type { EntitlementConfig } from '../config.ts'
import { coversIntent } from '../intent/covers.ts'
import { datasetsOf, impactsOf } from '../intent/impact.ts'
import type { Impact, IntentItem } from '../model/intent.ts'
import type { Task } from '../model/task.ts'
import type { ActSubject } from './act-subject.ts'
import type { World } from './broker.ts'
import type { Evaluation } from './evaluation.ts'
import { describeCeiling } from './read-world.ts'

/** One entitlement through which a task may do what is asked, and what that does there. */
export interface Reach {
  readonly entitlement: EntitlementConfig
  /** As selectors name it. */
  readonly target: string
  readonly impact: ReadonlySet<Impact>
  readonly datasets: ReadonlySet<string>
}

/**
 * Everything of a task's own intent that covers one action on one resource, by the vocabulary of
 * each entitlement: within the task's intent, its ceiling, and what the lease it acts with was for
 * (P4). None: it is outside.
 */
export function reachesOf(
  world: World,
  {
    task,
    lease,
    asked,
  }: {
    readonly task: Pick<Task, 'tenant' | 'intent'>
    readonly lease: ActSubject['lease']
    readonly asked: Pick<Evaluation, 'action' | 'constraints' | 'resource'>
  },
): readonly Reach[] {
  const only = [asked.resource.entitlement, lease?.entitlement].filter((id) => id !== undefined)
  const named = new Set(task.intent.map(({ identifier }) => identifier))
  return [...world.entitlements.values()]
    .filter(({ id, tenants }) => named.has(id) && tenants.includes(task.tenant))
    .filter(({ id }) => only.every((one) => one === id))
    .flatMap((entitlement) => {
      const own = task.intent.filter(({ identifier }) => identifier === entitlement.id)
      const within = [own, entitlement.ceiling, ...(lease ? [lease.intent] : [])]
      const reach = reachIn(world, { entitlement, within, asked })
      return reach === undefined ? [] : [reach]
    })
}

function reachIn(
  world: World,
  {
    entitlement,
    within,
    asked,
  }: {
    readonly entitlement: EntitlementConfig
    readonly within: readonly (readonly IntentItem[])[]
    readonly asked: Pick<Evaluation, 'action' | 'constraints' | 'resource'>
  },
): Reach | undefined {
  const instance = world.providers.get(entitlement.provider)
  const target = describeCeiling(world, entitlement)?.target
  if (!instance || target === undefined) return undefined
  const { vocabulary } = instance.config.definition
  const item: IntentItem = {
    type: asked.resource.type,
    identifier: entitlement.id,
    actions: [asked.action],
    locations: [asked.resource.location],
    ...(asked.constraints && { constraints: asked.constraints }),
  }
  const covered = within.every(
    (ceiling) => coversIntent({ ceiling, request: [item], vocabulary }) === undefined,
  )
  if (!covered) return undefined
  return {
    entitlement,
    target,
    impact: impactsOf([item], vocabulary),
    datasets: datasetsOf([item], entitlement.datasets, vocabulary),
  }
}
