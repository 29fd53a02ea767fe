import { MayflyError } from '../errors.ts'
import { tenantsToAsk } from './act-subject.ts'
import type { GatewayCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { evaluate } from './evaluate.ts'
import type { Evaluation, Verdict } from './evaluation.ts'

/** How far a batch goes (AuthZEN 1.0): all of it, or up to the first answer of a kind. */
export const SEMANTICS = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const
export type Semantic = (typeof SEMANTICS)[number]

/** An entry of a batch that cannot be evaluated, and why. */
export interface Unreadable {
  readonly unreadable: string
}

/**
 * may ask → room to keep it → each, in order
 *
 * Answers in the order of the entries; those that stop early answer what came before and the one
 * they stopped at. An entry that cannot be read counts as a deny.
 */
export async function evaluateAll(
  broker: Broker,
  by: GatewayCaller,
  { entries, semantic }: { entries: readonly (Evaluation | Unreadable)[]; semantic: Semantic },
): Promise<readonly (Verdict | Unreadable)[]> {
  tenantsToAsk(broker, by)
  assertRoom(broker)
  const answer = async (entry: Evaluation | Unreadable) =>
    'unreadable' in entry ? entry : await evaluate(broker, by, entry)
  // Together, so that they share a commit.
  if (semantic === 'execute_all') return await Promise.all(entries.map(answer))
  const answers: (Verdict | Unreadable)[] = []
  for (const entry of entries) {
    const one = await answer(entry)
    answers.push(one)
    const permitted = 'permitted' in one && one.permitted
    if (permitted === (semantic === 'permit_on_first_permit')) break
  }
  return answers
}

/** Every question leaves a decision: none into the room that kills need. */
function assertRoom({ health }: Broker): void {
  const short = health.diskShort()
  if (short === undefined) return
  const message = 'nothing is decided now, because it could not be kept'
  throw new MayflyError('unavailable', message, { detail: { why: short }, retryAfterSeconds: 30 })
}
