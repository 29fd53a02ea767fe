import type { Decision } from '../model/decision.ts'
import type { Task } from '../model/task.ts'
import type { Broker } from './broker.ts'
import { signalOfOurs } from './own-signal.ts'

/** Refused acts of one task within a minute that are no mishap any more. */
const REFUSALS_IN_A_RUN = 10

/**
 * Counts a refused act of a task whose agent showed its token: a run of them raises the task's risk.
 * A task that was only named is not counted, or whoever knows an id could bring it into trouble.
 */
export async function noteRefusal(
  broker: Broker,
  { id, tenant }: Task,
  { rails }: Pick<Decision, 'rails'>,
): Promise<void> {
  // What Mayfly cannot answer now, and what has ended, says nothing about the agent.
  if (rails.some((rail) => rail !== 'intent')) return
  if (broker.pace.take(`act-refused ${id}`, REFUSALS_IN_A_RUN - 1) === undefined) return
  const reason = `tried ${REFUSALS_IN_A_RUN} acts within a minute that it may not do`
  const subject = { task: id, tenant }
  await signalOfOurs(broker, { kind: 'act-refused-run', name: id, subject, reason })
}
