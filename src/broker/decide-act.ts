import { type Decision, deniedByRail, strictest } from '../model/decision.ts'
import type { ActQuestion } from '../policy/question.ts'
import type { World } from './broker.ts'
import { type Decided, factsOfTask } from './decide.ts'
import type { Evaluation } from './evaluation.ts'
import type { Principal } from './principals.ts'
import { type Reach, reachesOf } from './reaches.ts'
import type { Withheld } from './withheld.ts'

interface ActFacts {
  readonly own: Principal
  /** Everybody whose work it is, the nearest first. */
  readonly above: readonly Principal[]
  readonly asked: Evaluation
  /** What of the task's own intent covers it. */
  readonly reaches: readonly Reach[]
  readonly withheld: Withheld | undefined
  readonly now: number
}

/**
 * May the task do it now, and everybody it works for: each of them has it within its own intent,
 * and policy permits it at its own risk (P4). Where several entitlements cover it, all must allow it.
 */
export function decideAct(world: World, facts: ActFacts): Decided {
  const { own, above, asked, reaches, withheld, now } = facts
  const { task } = own
  const deny = (rail: string, reason: string) =>
    deniedByRail({ rail, reason, policyHash: world.policy.hash })
  if (task.state !== 'open' || task.deadline <= now) return deny('task-ended', 'the task has ended')
  if (withheld !== undefined) return deny(withheld.rail, withheld.message)
  if (reaches.length === 0) return deny('intent', 'nothing in the intent of the task covers it')
  if (above.length !== task.chain.length) {
    return deny('chain', 'a task it was delegated by is gone')
  }
  const decided = reaches.flatMap((reach) => decideForOne(world, { one: own, reach, asked, now }))
  for (const one of above) {
    const by = `for ${one.task.agent}, which delegated: `
    const theirs = reachesOf(world, { task: one.task, lease: undefined, asked })
    for (const reach of reaches) {
      if (theirs.every(({ entitlement }) => entitlement.id !== reach.entitlement.id)) {
        return deny('intent', `${by}nothing in the intent of its task covers it`)
      }
      const decision = decideForOne(world, { one, reach, asked, now })
      decided.push({ ...decision, reasons: decision.reasons.map((reason) => `${by}${reason}`) })
    }
  }
  const questions = decided.flatMap((one) => one.questions ?? [])
  const [first] = decided
  const decision: Decision = first ? strictest(first, decided) : deny('intent', 'nothing covers it')
  return { ...decision, questions }
}

function decideForOne(
  world: World,
  {
    one: { task, risk, activeLeases },
    reach,
    asked,
    now,
  }: {
    readonly one: Principal
    readonly reach: Reach
    readonly asked: Evaluation
    readonly now: number
  },
): Decided {
  const agent = world.agents.get(task.agent)
  const chain = task.chain.flatMap((by) => world.agents.get(by.agent) ?? [])
  if (!agent || agent.tenant !== task.tenant || chain.length < task.chain.length) {
    const reason = 'the agent is no longer configured'
    return deniedByRail({ rail: 'agent', reason, policyHash: world.policy.hash })
  }
  const { question, ...decision } = world.policy.decide<ActQuestion>({
    action: 'act',
    agent,
    ...factsOfTask(task, { activeLeases, now }),
    risk,
    act: { name: asked.action, impact: reach.impact },
    resource: {
      id: asked.resource.location,
      type: asked.resource.type,
      zone: reach.entitlement.zone,
      datasets: reach.datasets,
    },
    chain,
    now,
  })
  return { ...decision, questions: [question] }
}
