import { AGENTS, answered, apiWith, evidenceOf, type LoadParts } from './load-parts.ts'
import type { KnownDelegation, KnownTask } from './memory.ts'

/** What a planner passes on. */
export const PART = {
  type: 'vault',
  identifier: 'vault-token',
  actions: ['read'],
  locations: ['secret/data/tickets/4711'],
}
/** Deep enough for a tree, and within the broker's own limit. */
const DEEPEST = 2

/** Passes a part of the task on to another agent of its tenant. */
export async function passOn(parts: LoadParts, from: KnownTask): Promise<void> {
  const { memory, seeded } = parts
  if (depthOf(from) >= DEEPEST) return
  const others = AGENTS.filter(({ id, tenant }) => tenant === from.tenant && id !== from.agent)
  const { id: agent } = seeded.pick(others)
  const sentAt = Date.now()
  const request = { agent, intent: [PART] }
  const { delegation, token } = await apiWith(parts, from.token).delegate(from.id, request)
  memory.secrets.push(token)
  const known = { id: delegation.id, token, from, agent, made: answered(parts, sentAt) }
  memory.delegations.push(known)
  memory.acknowledge()
  await takeOver(parts, known)
}

/** Opens the executor's task; one whose answer was lost is tried again in a later life. */
export async function takeOver(parts: LoadParts, delegation: KnownDelegation): Promise<void> {
  const { memory } = parts
  const { agent, from, token: word } = delegation
  const sentAt = Date.now()
  const { task, token } = await apiWith(parts, await evidenceOf(parts, agent)).openTask({
    ...{ purpose: 'a part of it', intent: [PART], ttl_seconds: 3_600, delegation: word },
  })
  memory.secrets.push(token)
  const opened = answered(parts, sentAt)
  const { tenant } = from
  delegation.child = task.id
  memory.tasks.push({ id: task.id, token, agent, tenant, parent: from, opened })
  memory.acknowledge()
}

function depthOf({ parent }: KnownTask): number {
  return parent === undefined ? 0 : 1 + depthOf(parent)
}
