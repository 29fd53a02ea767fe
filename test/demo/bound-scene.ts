import { type ApiClient, issuedIn } from '../../src/client/http.ts'
import { hold } from './agent.ts'
import { INTENT } from './configuration.ts'
import { KeyHolder } from './key-holder.ts'
import { demand, refusalOf, type Stage } from './stage.ts'

/** A task bound to the agent's key: its token in other hands, with and without another key. */
export async function stealToken(stage: Stage): Promise<void> {
  const { timeline, world } = stage
  const agent = await KeyHolder.at(world.url)
  const intent = INTENT.filter(({ identifier }) => identifier === 'runbooks')
  const opening = { purpose: 'read one runbook', intent, ttl_seconds: 60 }
  const { task, token } = await agent.as(await world.issuer.evidence()).openTask(opening)
  demand(task.proof === 'bound', `the task is ${task.proof}`)
  timeline.event('task', `${task.id}, bound to the agent's key`)
  timeline.detail('', task.key ?? '')

  const ask = (api: ApiClient) => api.requestCredential(task.id, { entitlement: 'runbooks' })
  const { lease, credential } = issuedIn(await ask(agent.as(token)))
  const held = hold('runbooks', credential, world.upstreams)
  demand((await held.use()).allowed, `${held.within} was refused`)
  timeline.event(held.provider, `${lease.upstream_name} by ${held.client}`)

  const alone = await refusalOf(ask(world.as(token)))
  demand(alone.code === 'unauthenticated', `refused as ${alone.code}`)
  timeline.event('thief', `has the task's token alone: ${alone.status} ${alone.code}`, 'good')
  const other = await refusalOf(ask((await KeyHolder.at(world.url)).as(token)))
  demand(other.code === 'unauthenticated', `refused as ${other.code}`)
  const { items } = await world.operator.signals()
  const signal = items.find(({ subject }) => 'task' in subject && subject.task === task.id)
  demand(signal?.source === 'mayfly', 'nobody was told of the other key')
  timeline.event(
    'thief',
    `with a key of its own: ${other.status}, and ${signal.id} says so`,
    'good',
  )

  await agent.as(token).endTask(task.id, 'completed')
  await stage.settled(lease)
  held.close()
}
