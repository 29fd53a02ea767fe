import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Actor } from '../audit/events.ts'
import { MayflyError, type Problem } from '../errors.ts'
import type { AgentConfig } from '../identity/settings.ts'
import type { IntentItem } from '../model/intent.ts'
import type { Lease } from '../model/lease.ts'
import { PROOFS, type Task } from '../model/task.ts'
import type { Broker, World } from './broker.ts'
import { decideCredential } from './decide.ts'
import { planCredential, unacceptable } from './plan.ts'
import { principalsAbove } from './principals.ts'
import { riskOfTask } from './risk.ts'
import { abandonedProviders } from './upstreams.ts'

/** What putting another world in force would end. */
export interface ReloadPlan {
  readonly leases: readonly { readonly lease: Lease; readonly cause: 'policy' | 'config' }[]
  readonly tasks: readonly Task[]
}

/** Other requests get a turn after this many decisions. */
const DECISIONS_PER_TURN = 20
const PAGE = 500

/**
 * Decides every live lease and open task again under `next`, each kind once: what agent,
 * entitlement, workload, intent and history have in common is decided together.
 */
export async function planReload(broker: Broker, next: World): Promise<ReloadPlan> {
  const { store } = broker
  const doomed: { lease: Lease; cause: 'policy' | 'config' }[] = []
  const verdicts = new Map<string, 'policy' | 'config' | undefined>()
  let decided = 0
  for (const { agent, entitlement } of await store.leases.activeClasses()) {
    for (const lease of await store.leases.activeOfClass(agent, entitlement)) {
      const task = await store.tasks.byId(lease.task)
      const order = await store.leases.orderOf(lease.id)
      if (!task || !order) continue
      const { workload, touched, claims, proof, intent, parent } = task
      const own = [agent, entitlement, workload, touched, claims, proof, intent, order.intent]
      const kind = [...own, parent] // what one task delegated has its whole chain in common
      const key = JSON.stringify([...kind, lease.ttlSeconds, lease.approval !== null])
      if (!verdicts.has(key)) {
        verdicts.set(key, await refusedUnder(broker, next, { task, lease, intent: order.intent }))
        decided += 1
        if (decided % DECISIONS_PER_TURN === 0) await nextTurn()
      }
      const cause = verdicts.get(key)
      if (cause) doomed.push({ lease, cause })
    }
  }
  return { leases: doomed, tasks: await orphanedTasks(broker, next) }
}

/**
 * Ends what the world in force refuses, then notes that this world has been enforced. Whatever
 * interrupts it, a failing store or a restart, the lifecycle runs it again (P7).
 */
export async function enforceWorld(broker: Broker, actor: Actor): Promise<number> {
  const world = broker.world()
  const { leases, tasks } = await planReload(broker, world)
  const now = broker.clock.now()
  await Promise.all([
    ...tasks.map(({ id }) =>
      broker.store.tasks.end({ id, cause: 'config', outcome: null, actor, now }),
    ),
    ...leases.map(({ lease: { id }, cause }) =>
      broker.store.leases.end({ id, cause, lane: 'end', actor, now }),
    ),
  ])
  await broker.store.noteEnforced(world.fingerprint)
  return leases.length
}

/** Changes that a running broker cannot take: each with its path. Throws `config_invalid`. */
export async function assertReloadable(broker: Broker, next: World): Promise<void> {
  const before = broker.world().config
  const after = next.config
  const fixed: [string, unknown, unknown][] = [
    ['installation', before.installation, after.installation],
    ['server', before.server, after.server],
    ['store', before.store, after.store],
    ['keys', before.keysDir, after.keysDir],
  ]
  const problems: Problem[] = fixed
    .filter(([, a, b]) => JSON.stringify(a) !== JSON.stringify(b))
    .map(([path]) => ({ path, message: 'changes only with a restart' }))
  problems.push(...(await abandonedProviders(broker, next)))
  if (problems.length === 0) return
  throw new MayflyError('config_invalid', 'this configuration cannot be loaded while running', {
    problems,
  })
}

async function refusedUnder(
  broker: Broker,
  next: World,
  { task, lease, intent }: { task: Task; lease: Lease; intent: readonly IntentItem[] },
): Promise<'policy' | 'config' | undefined> {
  const now = broker.clock.now()
  const request = {
    entitlement: lease.entitlement,
    intent,
    ttlSeconds: lease.ttlSeconds,
  }
  const plan = planCredential(next, task, request, { now, earliest: now })
  if ('rail' in plan) return plan.rail === 'lifetime' ? undefined : 'config'
  if (unacceptable(plan)) return 'config'
  const risk = await riskOfTask(broker, task, now)
  const activeLeases = await broker.store.leases.countActive({ task: task.id })
  const above = await principalsAbove(broker, task, now)
  const decision = decideCredential(next, { task, plan, risk, activeLeases, above, now })
  if (decision.outcome === 'permit') return undefined
  // Somebody has said yes to it as it is.
  return decision.outcome === 'needs-approval' && lease.approval !== null ? undefined : 'policy'
}

/** Open tasks whose workload would no longer be their agent (P7). */
async function orphanedTasks({ store }: Broker, next: World): Promise<Task[]> {
  const orphans: Task[] = []
  let after: string | undefined
  for (;;) {
    const page = await store.tasks.list({ tenants: null, state: 'open' }, { limit: PAGE, after })
    orphans.push(...page.filter((task) => !isStillOf(next.agents.get(task.agent), task)))
    const last = page.at(-1)
    if (!last || page.length < PAGE) return orphans
    after = `${last.createdAt}.${last.id}`
    await nextTurn()
  }
}

/** Its other claims may have changed since; what is stored of them does not tell for sure. */
function isStillOf(agent: AgentConfig | undefined, task: Task): boolean {
  return (
    agent?.tenant === task.tenant &&
    agent.match.issuer === task.issuer &&
    PROOFS.indexOf(task.proof) >= PROOFS.indexOf(agent.proof)
  )
}
