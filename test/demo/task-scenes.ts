import { issuedIn } from '../../src/client/http.ts'
import type { IntentItemWire } from '../../src/model/wire.ts'
import { hold } from './agent.ts'
import { AGENT, INTENT, PURGE } from './configuration.ts'
import { WORKLOAD } from './issuer.ts'
import { demand, lentBy, PROVIDERS, refusalOf, type Stage } from './stage.ts'
import { EXECUTORS } from './team.ts'
import { passOn } from './tree.ts'

export const PURPOSE = 'summarise ticket 4711'

export async function openTask(stage: Stage): Promise<void> {
  const { world, timeline } = stage
  const { task } = await stage.open(PURPOSE)
  demand(task.agent === AGENT, `the task belongs to ${task.agent}`)
  timeline.event('evidence', `corp/${WORKLOAD}, a signed token of ${world.issuer.url}`)
  timeline.event('agent', `${task.agent} of tenant ${task.tenant}`)
  timeline.event('task', `${task.id} "${task.purpose}"`)
  for (const item of INTENT) timeline.detail('intent', intentText(item))
}

/** As it is asked for: entitlement, what, where. */
function intentText({ identifier = '', actions, locations }: IntentItemWire): string {
  return `${identifier.padEnd(11)}  ${actions.join(' ')} on ${locations.join(' ')}`
}

export async function useCredentials(stage: Stage): Promise<void> {
  const { timeline, providers } = stage
  for (const { identifier = '' } of INTENT) {
    const { lease, held } = await stage.borrow(identifier)
    const used = await held.use()
    demand(used.allowed, `${held.within} was refused`)
    timeline.event(held.provider, `${lease.upstream_name} by ${held.client}`)
    timeline.detail('', `${held.within}: ${used.got}`, 'good')
  }
  for (const name of PROVIDERS) {
    providers[name].used = lentBy(stage.task, name).length > 0
    demand(providers[name].used, `no credential of ${name} was issued`)
  }
}

export async function strayOutside(stage: Stage): Promise<void> {
  const { timeline, providers, task } = stage
  for (const { held } of task.lent) {
    const tried = await held.stray()
    demand(!tried.allowed, `${held.outside} could be read`)
    timeline.event(held.provider, `${held.outside}: ${tried.refusal}`, 'good')
  }
  for (const name of PROVIDERS) {
    providers[name].out_of_scope_denied = lentBy(task, name).length > 0
  }
}

/** The planner passes the runbooks on; what the executor is lent lives in the planner's task. */
export async function delegate(stage: Stage): Promise<void> {
  const { timeline, world, task } = stage
  const intent = task.task.intent.filter(({ identifier }) => identifier === 'runbooks')
  const [agent = ''] = EXECUTORS
  const wide = await refusalOf(task.api.delegate(task.task.id, { agent, intent: [PURGE] }))
  demand(wide.code === 'intent_exceeded', `refused as ${wide.code}`)
  timeline.event(AGENT, `passes on more than it has: ${wide.status} ${wide.code}`, 'good')
  const planner = { api: task.api, task: { ...task.task, intent } }
  const executor = await passOn(stage, planner, agent)
  timeline.event(agent, `${executor.task.id}, with its own identity, for ${AGENT}`)
  const request = { entitlement: 'runbooks' }
  const asked = await executor.api.requestCredential(executor.task.id, request)
  const { lease, credential } = issuedIn(asked)
  const held = hold('runbooks', credential, world.upstreams)
  const used = await held.use()
  demand(used.allowed, `${held.within} was refused`)
  timeline.event(held.provider, `${lease.upstream_name} by ${held.client}`)
  timeline.detail('', `${held.within}: ${used.got}`, 'good')
  task.lent.push({ lease, held })
}

export async function askForTooMuch(stage: Stage): Promise<void> {
  const { timeline, world, task } = stage
  const request = { entitlement: PURGE.identifier ?? '' }
  const notSaid = await refusalOf(task.api.requestCredential(task.task.id, request))
  demand(notSaid.code === 'intent_exceeded', `refused as ${notSaid.code}`)
  timeline.event('this task', `${notSaid.status} ${notSaid.code}`, 'good')
  timeline.detail('', notSaid.message)

  const evidence = await world.issuer.evidence()
  const purpose = 'delete what ticket 4711 left behind'
  const other = await world.as(evidence).openTask({ purpose, intent: [PURGE], ttl_seconds: 60 })
  const api = world.as(other.token)
  const denied = await refusalOf(api.requestCredential(other.task.id, request))
  demand(denied.code === 'policy_denied', `refused as ${denied.code}`)
  timeline.event(
    'another',
    `${denied.status} ${denied.code}, though its intent says ${PURGE.actions}`,
    'good',
  )
  timeline.detail('', denied.message)
  await api.endTask(other.task.id, 'cancelled')
}
