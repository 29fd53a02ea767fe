import { describe } from '../policy/describe.ts'
import { type AgentDescription, type AgentQuestion, agentDescription } from '../policy/described.ts'
import type { DecisionRecord } from '../store/store.ts'
import type { Broker } from './broker.ts'

/**
 * What a decision keeps of its questions, to be explained and made again: its own first, then those
 * asked for the tasks that delegated the work. The claims of its own task's workload stay where
 * they are, with the task: they do not change while it lives.
 */
export function keptInputs([own, ...above]: readonly AgentQuestion[]): AgentDescription[] {
  if (!own) return []
  const { claims, ...workload } = own.workload
  const kept = own.action === 'openTask' ? own : { ...own, workload: { ...workload, claims: {} } }
  return [describe(kept), ...above.map(describe)]
}

/** The questions a decision answered; none where no policy was asked, or they cannot be read. */
export async function inputsOf(
  { store }: Pick<Broker, 'store'>,
  { request, task }: Pick<DecisionRecord, 'request' | 'task'>,
): Promise<readonly AgentDescription[]> {
  const read = agentDescription.array().safeParse(request.inputs)
  const [own, ...above] = read.data ?? []
  if (!own || own.action === 'openTask') return read.data ?? []
  const of = task === null ? undefined : await store.tasks.shown(task)
  if (!of || of.unreadable) return []
  return [{ ...own, workload: { ...own.workload, claims: { ...of.claims } } }, ...above]
}

/** The same for many, by decision. */
export async function inputsOfAll(
  broker: Pick<Broker, 'store'>,
  decisions: readonly DecisionRecord[],
): Promise<ReadonlyMap<string, readonly AgentDescription[]>> {
  // Of one whose row is damaged it is not known what was asked.
  const whole = decisions.filter(({ unreadable }) => !unreadable)
  const all = whole.map(async (one) => [one.id, await inputsOf(broker, one)] as const)
  return new Map(await Promise.all(all))
}
