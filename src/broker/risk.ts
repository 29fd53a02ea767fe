import { type Risk, riskAt } from '../model/risk.ts'
import { matches, type Selector, type SelectorSubject } from '../model/selector.ts'
import type { Task } from '../model/task.ts'
import type { Signal } from '../store/store.ts'
import type { Broker, World } from './broker.ts'

/** The highest risk that unexpired signals give any part of `subject`. */
export async function riskOf(
  { store, world }: Pick<Broker, 'store' | 'world'>,
  subject: SelectorSubject,
  now: number,
): Promise<Risk> {
  const signals = await store.signals.risks(now)
  const current = world()
  const about = signals.filter((signal) =>
    aboutOf(current, signal).some((one) => matches(one, subject)),
  )
  return riskAt(about, now)
}

/** The same of everybody a task stands for; what names a task names all it delegated. */
export function riskOfTask(
  broker: Pick<Broker, 'store' | 'world'>,
  { id, agent, workload, tenant, issuer, chain }: Task,
  now: number,
): Promise<Risk> {
  const ancestors = chain.map(({ task }) => task)
  return riskOf(broker, { task: id, ancestors, agent, workload, tenant, issuer }, now)
}

/**
 * Whom a signal is about. Where its row does not say so any more, whoever its source may name: it
 * is one of them (P3), and can be nobody else (P13).
 */
export function aboutOf({ config }: World, { effective, source }: Signal): readonly Selector[] {
  if (effective.length > 0) return effective
  const scope = config.signals.sources.find(({ name }) => name === source)?.scope
  const agents = scope?.agents?.map((agent) => ({ agent }))
  const tenants = scope?.tenants?.map((tenant) => ({ tenant }))
  return agents ?? tenants ?? [{ all: true }]
}
