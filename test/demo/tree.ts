import { setTimeout as sleep } from 'node:timers/promises'
import { issuedIn } from '../../src/client/http.ts'
import { hold, type ProviderName } from './agent.ts'
import { INTENT } from './configuration.ts'
import { mayfly } from './operator.ts'
import { demand, type Lent, PROVIDERS, type RunningTask, refusalOf, type Stage } from './stage.ts'
import { EXECUTORS, LEVELS } from './team.ts'
import { PROPAGATION } from './upstreams.ts'

/** What each of the tree works with; a few also look at photos, as the pool has few accounts. */
const SHARED = ['tickets-s3', 'runbooks']
const PHOTOGRAPHERS = 4
const PASSED_ON = INTENT.filter(({ identifier }) => identifier !== 'tickets-db')

/** Work passed on over four levels: who holds what, and what became of it. */
export interface TreeReport {
  readonly agents: number
  readonly levels: number
  readonly credentials: number
  /** Until the end of the root was answered: it and everything below it had ended then. */
  readonly ended_within_ms: number
  /** From the order to the last credential's first refusal. */
  readonly refused_after_ms: Readonly<Record<ProviderName, number>>
}

/** One task of the tree, and what it was lent. */
interface Member extends RunningTask {
  readonly agent: string
}

export class Tree {
  readonly members: Member[] = []
  report: TreeReport | undefined
}

/** A planner opens its task and passes it on; every executor passes its part on again. */
export async function growTree(stage: Stage, tree: Tree): Promise<void> {
  const startedAt = performance.now()
  const { task, api } = await stage.open('work through the tickets of the week', PASSED_ON)
  let level: Member[] = [{ agent: task.agent, task, api, lent: [] }]
  tree.members.push(...level)
  for (const [depth, names] of LEVELS.entries()) {
    if (depth === 0) continue
    const each = names.length / level.length
    const opened = level.map((planner, at) =>
      Promise.all(names.slice(at * each, (at + 1) * each).map((to) => passOn(stage, planner, to))),
    )
    level = (await Promise.all(opened)).flat()
    tree.members.push(...level)
    stage.timeline.event(`level ${depth + 1}`, `${level.length} agents, ${nameRange(names)}`)
  }
  const took = Math.round(performance.now() - startedAt)
  demand(tree.members.length === 1 + EXECUTORS.length, `${tree.members.length} tasks were opened`)
  stage.timeline.event('tree', `${tree.members.length} agents at work within ${took} ms`)
}

/** The planner delegates, the executor opens its own task with its own identity. */
export async function passOn(
  { world }: Stage,
  planner: Pick<RunningTask, 'task' | 'api'>,
  agent: string,
): Promise<Member> {
  const { task } = planner
  const delegated = await planner.api.delegate(task.id, { agent, intent: task.intent })
  const evidence = await world.issuer.evidence(agent)
  const opened = await world.as(evidence).openTask({
    purpose: 'read a part of the tickets',
    intent: task.intent,
    delegation: delegated.token,
  })
  demand(opened.task.parent === task.id, `${opened.task.id} is not below ${task.id}`)
  return { agent, task: opened.task, api: world.as(opened.token), lent: [] }
}

export async function lendToAll(stage: Stage, { members }: Tree): Promise<void> {
  const startedAt = performance.now()
  const wishes = members.flatMap((member, at) => {
    const all = at < PHOTOGRAPHERS ? [...SHARED, 'photos'] : SHARED
    return all.map((entitlement) => ({ member, entitlement }))
  })
  await Promise.all(wishes.map(({ member, entitlement }) => lend(stage, member, entitlement)))
  for (const name of PROVIDERS) {
    const held = allLent(members).filter(({ held: { provider } }) => provider === name)
    const allowed = await Promise.all(held.map((one) => one.held.use()))
    demand(
      allowed.every((tried) => tried.allowed),
      `a credential of ${name} does not work`,
    )
    stage.providers[name].used = held.length > 0
    stage.timeline.event(name, `${held.length} credentials, each used by its agent`, 'good')
  }
  const took = Math.round(performance.now() - startedAt)
  stage.timeline.event('tree', `${wishes.length} credentials issued and used within ${took} ms`)
}

async function lend(stage: Stage, member: Member, entitlement: string): Promise<void> {
  const asked = await member.api.requestCredential(member.task.id, { entitlement })
  const { lease, credential } = issuedIn(asked)
  member.lent.push({ lease, held: hold(entitlement, credential, stage.world.upstreams) })
}

/** Not even the last of a chain gets what the first did not have, or says it needs more. */
export async function stayWithin(stage: Stage, { members }: Tree): Promise<void> {
  const leaf = members.at(-1)
  demand(leaf !== undefined, 'the tree is empty')
  const beyond = await refusalOf(
    leaf.api.requestCredential(leaf.task.id, { entitlement: 'tickets-db' }),
  )
  demand(beyond.code === 'intent_exceeded', `refused as ${beyond.code}`)
  stage.timeline.event(leaf.agent, `asks for tickets-db: ${beyond.status} ${beyond.code}`, 'good')
  const request = { agent: 'reader-1', intent: leaf.task.intent }
  const deeper = await refusalOf(leaf.api.delegate(leaf.task.id, request))
  demand(deeper.code === 'limit_reached', `refused as ${deeper.code}`)
  stage.timeline.event(leaf.agent, `passes it on again: ${deeper.status} ${deeper.code}`, 'good')
}

export async function drawTree(stage: Stage, { members }: Tree): Promise<void> {
  const [root] = members
  const output = await mayfly(stage, ['tasks', 'tree', root?.task.id ?? ''])
  demand(
    members.every(({ task }) => output.includes(task.id)),
    'a task is missing in the tree',
  )
}

/** The root ends → everything below it has ended when that is answered → the upstreams refuse. */
export async function endAtRoot(stage: Stage, tree: Tree): Promise<void> {
  const { members } = tree
  const [root] = members
  demand(root !== undefined, 'the tree is empty')
  const orderedAt = performance.now()
  await root.api.endTask(root.task.id, 'completed')
  const endedWithin = Math.round(performance.now() - orderedAt)
  stage.timeline.event('order', `the planner's task ends: answered within ${endedWithin} ms`)
  const { items } = await stage.world.operator.tasks({ tree: root.task.id, limit: 500 })
  const open = items.filter(({ state }) => state === 'open').length
  demand(open === 0 && items.length === members.length, `${open} of ${items.length} are open`)
  const below = items.filter(({ cause }) => cause === 'parent-ended').length
  stage.timeline.event('tree', `${items.length} tasks ended, ${below} with the one above them`)

  const refused = { aws: 0, vault: 0, gcp: 0 }
  await Promise.all(
    allLent(members).map(async ({ held }) => {
      const after = await refusedAfter(held, orderedAt)
      refused[held.provider] = Math.max(refused[held.provider], after)
      held.close()
    }),
  )
  for (const name of PROVIDERS) {
    stage.providers[name].refused_after_end_ms = refused[name]
    const { demoMs, typicalMs } = PROPAGATION[name]
    const scaled = `  simulated: ${typicalMs / 1_000} s scaled to ${demoMs} ms`
    const text = `all refused after ${refused[name]} ms${demoMs < typicalMs ? scaled : ''}`
    stage.timeline.event(name, text, 'good')
  }
  tree.report = {
    agents: members.length,
    levels: LEVELS.length,
    credentials: allLent(members).length,
    ended_within_ms: endedWithin,
    refused_after_ms: refused,
  }
}

const POLL_MS = 100
const PATIENCE_MS = 20_000

/** Tries until the upstream refuses; milliseconds from the order to that. */
async function refusedAfter(held: Lent['held'], orderedAt: number): Promise<number> {
  for (;;) {
    const { allowed } = await held.use()
    const after = Math.round(performance.now() - orderedAt)
    if (!allowed) return after
    demand(after < PATIENCE_MS, `${held.entitlement} still works ${after} ms after the end`)
    await sleep(POLL_MS)
  }
}

function allLent(members: readonly Member[]): Lent[] {
  return members.flatMap(({ lent }) => lent)
}

function nameRange(names: readonly string[]): string {
  return names.length === 1 ? (names[0] ?? '') : `${names[0]} to ${names.at(-1)}`
}
