import type { Risk } from '../model/risk.ts'
import type { Task } from '../model/task.ts'
import type { Broker } from './broker.ts'
import { riskOfTask } from './risk.ts'

/** One whose work a task does: by its own task, and as it stands now. */
export interface Principal {
  readonly task: Task
  readonly risk: Risk
  readonly activeLeases: number
}

/**
 * Everybody through whom a task came to its work, the nearest first. For a task nobody delegated
 * nothing is read.
 */
export async function principalsAbove(
  broker: Pick<Broker, 'store' | 'world'>,
  task: Task,
  now: number,
): Promise<readonly Principal[]> {
  if (task.chain.length === 0) return []
  const above = await broker.store.tasks.above(task)
  return await Promise.all(
    above.map(async (one) => ({
      task: one,
      risk: await riskOfTask(broker, one, now),
      activeLeases: await broker.store.leases.countActive({ task: one.id }),
    })),
  )
}
