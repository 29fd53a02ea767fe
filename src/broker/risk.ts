import { type Risk, riskAt } from '../model/risk.ts'
import { matches, type SelectorSubject } from '../model/selector.ts'
import type { Task } from '../model/task.ts'
import type { Broker } from './broker.ts'

/** The highest risk that unexpired signals give any part of `subject`. */
export async function riskOf(
  { store }: Pick<Broker, 'store'>,
  subject: SelectorSubject,
  now: number,
): Promise<Risk> {
  const signals = await store.signals.risks(now)
  const about = signals.filter((signal) => signal.effective.some((one) => matches(one, subject)))
  return riskAt(about, now)
}

/** The same of everybody a task stands for. */
export function riskOfTask(
  broker: Pick<Broker, 'store'>,
  { id, agent, workload, tenant }: Task,
  now: number,
): Promise<Risk> {
  return riskOf(broker, { task: id, agent, workload, tenant }, now)
}
