import { issuedIn } from '../../src/client/http.ts'
import { hold } from './agent.ts'
import { PURGE } from './configuration.ts'
import { KeyHolder } from './key-holder.ts'
import { mayfly } from './operator.ts'
import { demand, type Stage } from './stage.ts'

/** A high-impact request: asked for, waited for, approved by a person, good for one credential. */
export async function agreeOnce(stage: Stage): Promise<void> {
  const { timeline, world } = stage
  const agent = await KeyHolder.at(world.url)
  const opening = { purpose: 'delete the draft of ticket 4711', intent: [PURGE], ttl_seconds: 120 }
  const { task, token } = await agent.as(await world.issuer.evidence()).openTask(opening)
  const api = agent.as(token)
  const ask = () => api.requestCredential(task.id, { entitlement: PURGE.identifier ?? '' })

  const first = await ask()
  demand('approval' in first, 'it was issued without asking anybody')
  const { id, impact } = first.approval
  timeline.event('agent', `asks for ${PURGE.identifier}: 202, ${id} (${impact.join(' ')})`)
  const waiting = api.approval(id, WAIT_SECONDS)
  await mayfly(stage, ['approvals', 'ls'])
  await mayfly(stage, ['approvals', 'approve', id, '--reason', 'the ticket is closed'])
  const { state } = await waiting
  demand(state === 'granted', `who waited heard ${state}`)

  const { lease, credential } = issuedIn(await ask())
  const held = hold(lease.entitlement, credential, world.upstreams)
  const used = await held.use()
  demand(used.allowed, `${held.within} was refused`)
  timeline.event(held.provider, `${lease.upstream_name} by ${held.client}`)
  timeline.detail('', `${held.within}: ${used.got}`, 'good')
  demand(!(await held.stray()).allowed, `${held.outside} could be deleted`)
  const again = await ask()
  demand('approval' in again && again.approval.id !== id, 'one yes was good for two')
  timeline.event('agent', `asks once more: 202, it needs another yes`, 'good')

  await api.endTask(task.id, 'completed')
  const left = await world.operator.approvals({ state: 'pending' })
  demand(left.items.length === 0, 'an approval outlived its task')
  await stage.settled(lease)
  held.close()
}

const WAIT_SECONDS = 20
