import type { AgentConfig } from '../identity/settings.ts'
import type { Workload } from '../identity/workload.ts'
import { newId } from '../ids.ts'
import type { Chain } from '../model/chain.ts'
import { deniedByRail } from '../model/decision.ts'
import type { Delegation } from '../model/delegation.ts'
import type { SelectorSubject } from '../model/selector.ts'
import type { Task } from '../model/task.ts'
import type { Broker } from './broker.ts'
import { notFound } from './not-found.ts'

/** A delegation in the hands of the agent it was made for, and everybody it comes from. */
export interface ShownDelegation {
  readonly delegation: Delegation
  /** Of the task it opens: the task that delegated, then its own chain. */
  readonly chain: Chain
  /** The tasks of the chain, for risk. */
  readonly above: readonly SelectorSubject[]
}

/**
 * What an executor may open by the token it shows. One that is unknown, used, expired, another
 * agent's, another tenant's or of a task that ended is `not_found` alike (P11); for the operator it
 * is recorded why. Nothing is consumed: that is for the transaction that opens the task.
 */
export async function shownDelegation(
  broker: Broker,
  facts: {
    readonly agent: AgentConfig
    readonly workload: Workload
    readonly tokenHash: string
    readonly now: number
  },
): Promise<ShownDelegation> {
  const { store } = broker
  const { agent, tokenHash, now } = facts
  const delegation = await store.delegations.byToken(tokenHash)
  const planner = delegation && (await store.tasks.byId(delegation.task))
  const why = refusalOf(agent, { delegation, planner, now })
  if (why !== undefined || !delegation || !planner) {
    return await refuse(broker, facts, why ?? 'no such delegation')
  }
  const tasks = [planner, ...(await store.tasks.above(planner))]
  return {
    delegation,
    chain: [{ agent: planner.agent, task: planner.id }, ...planner.chain],
    above: tasks.map(({ id, agent, tenant, workload }) => ({ task: id, agent, tenant, workload })),
  }
}

/** Of another tenant's delegation not even the operator of this one is told that it exists. */
function refusalOf(
  agent: AgentConfig,
  found: { delegation: Delegation | undefined; planner: Task | undefined; now: number },
): string | undefined {
  const { delegation, planner, now } = found
  if (delegation?.tenant !== agent.tenant) return 'no such delegation'
  const { id } = delegation
  if (delegation.agent !== agent.id) return `${id} was made for another agent`
  if (delegation.usedAt !== null) return `${id} was used before`
  if (delegation.expiresAt <= now) return `${id} has expired`
  return planner?.state === 'open' ? undefined : `the task of ${id} has ended`
}

async function refuse(
  broker: Broker,
  facts: { agent: AgentConfig; workload: Workload; now: number },
  reason: string,
): Promise<never> {
  const { agent, workload, now } = facts
  await broker.store.decisions.refuse({
    id: newId('dec', broker),
    at: now,
    action: 'openTask',
    ...deniedByRail({ rail: 'delegation', reason, policyHash: broker.world().policy.hash }),
    agent: agent.id,
    tenant: agent.tenant,
    workload: workload.name,
    task: null,
    entitlement: null,
    request: {},
  })
  throw notFound('delegation')
}
