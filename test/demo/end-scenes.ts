import { Webhook } from 'standardwebhooks'
import { AGENT, INTENT, SOURCE } from './configuration.ts'
import { mayfly } from './operator.ts'
import { demandDead, robbery } from './robbery.ts'
import { demand, eventually, PROVIDERS, refusalOf, type Stage } from './stage.ts'
import { PURPOSE } from './task-scenes.ts'

export async function endTask(stage: Stage): Promise<void> {
  const { providers, task } = stage
  const loot = await robbery(stage, 'the task ends, completed', async () => {
    const ended = await task.api.endTask(task.task.id, 'completed')
    demand(ended.state === 'ended', `the task is ${ended.state}`)
  })
  for (const name of PROVIDERS) {
    providers[name].refused_after_end_ms = loot[name].refusedAfterMs
    providers[name].containment = loot[name].containment
  }
  demandDead(loot)
}

/** The agent works on; before anybody contains it, an operator looks what that would break. */
export async function lookBefore(stage: Stage): Promise<void> {
  const { task } = await stage.open(PURPOSE)
  for (const { identifier = '' } of INTENT) await stage.borrow(identifier)
  stage.timeline.event('task', `${task.id} with four credentials of its own`)
  const why = ['--reason', 'what would it break?']
  const output = await mayfly(stage, ['kill', '--agent', AGENT, ...why, '--dry-run'])
  demand(output.includes('nothing was done'), 'the dry run does not say that it did nothing')
  demand(output.includes(task.id), `the dry run does not name ${task.id}`)
  const { state } = await stage.world.operator.task(task.id)
  demand(state === 'open', `after a dry run the task is ${state}`)
}

export async function reportTrouble(stage: Stage): Promise<void> {
  const { world, providers } = stage
  const what = `a signed message of "${SOURCE}" names ${AGENT}`
  const loot = await robbery(stage, what, async () => {
    const reason = 'its container image is not ours'
    const body = JSON.stringify({ subject: { agent: AGENT }, action: 'kill', reason })
    const headers = signed(world.configuration.siemSecret, body)
    const { signal } = await world.as('').sendSignal({ source: SOURCE, body, headers })
    demand(signal.matched.leases >= INTENT.length, `${signal.matched.leases} leases matched`)
  })
  for (const name of PROVIDERS) {
    providers[name].refused_after_signal_ms = loot[name].refusedAfterMs
  }
  demandDead(loot)
}

export async function stayBlocked(stage: Stage): Promise<void> {
  const { timeline, task } = stage
  const request = { entitlement: 'tickets-s3' }
  const credential = await refusalOf(task.api.requestCredential(task.task.id, request))
  timeline.event(
    'credential',
    `${credential.status} ${credential.code}: ${credential.message}`,
    'good',
  )
  const opening = await refusalOf(stage.open(PURPOSE))
  demand(opening.code === 'blocked', `refused as ${opening.code}`)
  timeline.event('new task', `${opening.status} ${opening.code}: ${opening.message}`, 'good')
}

export async function liftBlock(stage: Stage): Promise<void> {
  const { world, timeline } = stage
  const { items } = await world.operator.blocks()
  const block = items.find(({ lifted_at }) => lifted_at === undefined)
  demand(block !== undefined, 'there is no block to lift')
  await mayfly(stage, ['blocks', 'lift', block.id])
  const { task, api } = await stage.open(PURPOSE)
  const { held, lease } = await stage.borrow('tickets-s3')
  const used = await held.use()
  demand(used.allowed, `${held.within} was refused after the block was lifted`)
  timeline.event('new task', task.id)
  timeline.event(held.provider, `${held.within}: ${used.got}`, 'good')
  await api.endTask(task.id, 'completed')
  await stage.settled(lease)
  held.close()
}

/** The upstreams themselves know best: every credential they ever gave is dead. */
export async function leaveNothing(stage: Stage): Promise<void> {
  const { ledger } = stage.world.upstreams
  const lent = ledger.minted.filter(({ name }) => name?.startsWith('mf-'))
  demand(lent.length > 0, 'the upstreams gave out nothing')
  await eventually('every credential is refused by its upstream', () =>
    lent.some((record) => record.works()) ? undefined : true,
  )
  stage.timeline.event('ledger', `${lent.length} secrets given out, 0 of them still work`, 'good')
}

/** As a SIEM signs its webhooks (Standard Webhooks). */
export function signed(secret: string, body: string): Record<string, string> {
  const id = `msg_${crypto.randomUUID()}`
  const at = new Date()
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  }
}
