import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Actor } from '../audit/events.ts'
import { MayflyError, type Problem } from '../errors.ts'
import type { AgentConfig } from '../identity/settings.ts'
import type { Selector } from '../model/selector.ts'
import { PROOFS, type Task } from '../model/task.ts'
import type { Broker, World } from './broker.ts'
import { type Refused, refusedLeases } from './redecide.ts'
import { abandonedProviders } from './upstreams.ts'

/** What putting another world in force would end. */
export interface ReloadPlan {
  readonly leases: readonly Refused[]
  readonly tasks: readonly Task[]
}

const PAGE = 500
/** So many leases are ended in one commit. */
const ENDS_PER_TURN = 100

/** Decides every live lease and open task again under `next`. */
export async function planReload(broker: Broker, next: World): Promise<ReloadPlan> {
  const leases: Refused[] = []
  for await (const refused of refusedLeases(broker, next)) leases.push(refused)
  return { leases, tasks: await orphanedTasks(broker, next) }
}

/**
 * Ends what the world and the risk in force refuse, then notes that they have been enforced.
 * Whatever interrupts it, a failing store or a restart, the lifecycle runs it again (P7). Where
 * only risk changed, `named` may say for whom.
 */
export async function enforceWorld(
  broker: Broker,
  order: {
    readonly actor: Actor
    readonly because: 'world' | 'risk'
    /** Of the signals that `named` was read from; absent: those that count now. */
    readonly mark?: string
    readonly named?: readonly Selector[] | undefined
  },
): Promise<number> {
  const { store, clock } = broker
  const { actor, because, named } = order
  const world = broker.world()
  // Read first: what changes while leases are decided is noticed as another change.
  const mark = order.mark ?? (await store.signals.riskMark(clock.now()))
  if (because === 'world') {
    const tasks = await orphanedTasks(broker, world)
    const now = clock.now()
    await Promise.all(
      tasks.map(({ id }) => store.tasks.end({ id, cause: 'config', outcome: null, actor, now })),
    )
  }
  let ended = 0
  let waiting: Promise<unknown>[] = []
  for await (const { lease, cause } of refusedLeases(broker, world, named)) {
    const why = because === 'risk' && cause === 'policy' ? 'risk' : cause
    const { id } = lease
    waiting.push(store.leases.end({ id, cause: why, lane: 'end', actor, now: clock.now() }))
    ended += 1
    if (waiting.length < ENDS_PER_TURN) continue
    await Promise.all(waiting)
    waiting = []
  }
  await Promise.all(waiting)
  await store.noteEnforced(`${world.fingerprint} ${mark}`)
  return ended
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
