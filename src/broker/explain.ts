import type { Decision } from '../model/decision.ts'
import { type AgentDescription, type AgentQuestion, questionOf } from '../policy/described.ts'
import { decideAll, type PolicyEngine } from '../policy/engine.ts'
import type { DecisionRecord, KeptPolicy } from '../store/store.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { inputsOf } from './kept-input.ts'
import { findDecision } from './read.ts'

/** Why a decision was made, and what would have been needed for another. */
export interface Explanation {
  readonly decision: DecisionRecord
  /**
   * What the policies were asked, for delegated work also in the name of everybody above; none
   * where a rail refused before.
   */
  readonly inputs: readonly AgentDescription[]
  readonly policies: readonly NamedPolicy[]
  /** What the policies in force now say to the same; absent where there is no input. */
  readonly now: Decision | undefined
  /** In words; empty with a permit. */
  readonly needed: readonly string[]
}

/** A determining policy; without text if its set is not kept any more. */
export interface NamedPolicy {
  readonly id: string
  readonly file?: string
  readonly text?: string
}

/** find decision → its input → decide it again under the policies in force → say what lacks (P15) */
export async function explainDecision(
  broker: Broker,
  by: OperatorCaller,
  id: string,
): Promise<Explanation> {
  const decision = await findDecision(broker, by, id)
  const { policy } = broker.world()
  const inputs = await inputsOf(broker, decision)
  const questions = inputs.map((input) => questionOf(input))
  return {
    decision,
    inputs,
    policies: await policiesOf(broker, decision),
    now: decideAll(policy, questions),
    needed: neededFor(policy, { decision, questions }),
  }
}

/** The words for people: what a refusal would have needed. */
export function neededFor(
  policy: PolicyEngine,
  {
    decision,
    questions,
  }: {
    decision: Pick<DecisionRecord, 'outcome' | 'rails' | 'reasons' | 'policies'>
    questions: readonly AgentQuestion[]
  },
): string[] {
  const { outcome, rails, policies } = decision
  if (outcome === 'permit') return []
  if (rails.length > 0) {
    return [`no policy can permit it: ${rails.join(', ')}: ${decision.reasons.join('; ')}`]
  }
  if (outcome === 'needs-approval') return ['an approval']
  const forbids = policies.flatMap((id) => {
    const found = policy.policies.get(id)
    return found?.json.effect === 'forbid'
      ? [`${titleOf(found)} must not apply: it forbids this`]
      : []
  })
  const unmet = questions.find((question) => policy.decide(question).outcome === 'deny')
  const permits = unmet ? policy.lacking(unmet) : []
  return [
    ...forbids,
    ...permits.map(
      ({ policy: near, conditions, outcome: then }) =>
        `${titleOf(near)} would permit it with${then === 'permit' ? '' : ' an approval and'}: ${conditions.join(' && ')}`,
    ),
  ]
}

/** As they stood when it was decided, also when other policies are in force by now. */
async function policiesOf(
  { store, world }: Broker,
  { policies, policyHash }: DecisionRecord,
): Promise<NamedPolicy[]> {
  const { policy } = world()
  const set =
    policyHash === policy.hash
      ? policy.policies
      : byId(await store.decisions.policiesOf(policyHash))
  return policies.map((id) => {
    const found = set.get(id)
    return found ? { id, file: found.file, text: found.text } : { id }
  })
}

function byId(policies: readonly KeptPolicy[] = []): ReadonlyMap<string, KeptPolicy> {
  return new Map(policies.map((policy) => [policy.id, policy]))
}

function titleOf({ id, file }: { id: string; file: string }): string {
  return `policy "${id}" (${file})`
}
