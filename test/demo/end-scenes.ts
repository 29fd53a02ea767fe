import { Webhook } from 'standardwebhooks'
import { when } from '../../src/cli/when.ts'
import type { LeaseWire } from '../../src/model/wire.ts'
import type { ProviderName } from './agent.ts'
import { AGENT, INTENT, SOURCE } from './configuration.ts'
import { mayfly } from './operator.ts'
import { demand, eventually, lentBy, refusalOf, type Stage } from './stage.ts'
import { PURPOSE } from './task-scenes.ts'
import { type Stolen, Thief } from './thief.ts'
import { PROPAGATION } from './upstreams.ts'

export async function endTask(stage: Stage): Promise<void> {
  const { providers, task } = stage
  const outcome = await robbed(stage, 'the task ends, completed', async () => {
    const ended = await task.api.endTask(task.task.id, 'completed')
    demand(ended.state === 'ended', `the task is ${ended.state}`)
  })
  for (const name of ['aws', 'vault', 'gcp'] as const) {
    providers[name].refused_after_end_ms = slowest(outcome, name)
    providers[name].containment = await weakestContainment(stage, name)
  }
  demandRefused(outcome)
}

export async function reportTrouble(stage: Stage): Promise<void> {
  const { world, providers, timeline } = stage
  const { task } = await stage.open(PURPOSE)
  for (const { identifier = '' } of INTENT) await stage.borrow(identifier)
  timeline.event('task', `${task.id} with four credentials of its own`)
  const outcome = await robbed(
    stage,
    `a signed message of "${SOURCE}" names ${AGENT}`,
    async () => {
      const reason = 'its container image is not ours'
      const body = JSON.stringify({ subject: { agent: AGENT }, action: 'kill', reason })
      const headers = signed(world.configuration.siemSecret, body)
      const { signal } = await world.as('').sendSignal({ source: SOURCE, body, headers })
      demand(signal.matched.leases >= INTENT.length, `${signal.matched.leases} leases matched`)
    },
  )
  for (const name of ['aws', 'vault', 'gcp'] as const) {
    providers[name].refused_after_signal_ms = slowest(outcome, name)
    await weakestContainment(stage, name)
  }
  demandRefused(outcome)
}

export async function stayBlocked(stage: Stage): Promise<void> {
  const { timeline, task } = stage
  const request = { entitlement: 'tickets-s3' }
  const credential = await refusalOf(task.api.requestCredential(task.task.id, request))
  timeline.event('credential', `${credential.status} ${credential.code}: ${credential.message}`)
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
  const { held } = await stage.borrow('tickets-s3')
  const used = await held.use()
  demand(used.allowed, `${held.within} was refused after the block was lifted`)
  timeline.event('new task', `${task.id} ${held.within}: ${used.got}`, 'good')
  await api.endTask(task.id, 'completed')
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

/** A thief copies what the task was lent; what happens to them once `order` was given. */
async function robbed(
  stage: Stage,
  what: string,
  order: () => Promise<void>,
): Promise<readonly Robbed[]> {
  const { timeline, task } = stage
  const thief = new Thief(task.lent.map(({ held }) => held))
  try {
    await thief.hasUsedAll()
    timeline.event('thief', 'uses copies of all four every 50 ms, and they work', 'bad')
    const orderedAt = performance.now()
    await order()
    const took = Math.round(performance.now() - orderedAt)
    timeline.past(orderedAt, 'order', `${what}: accepted within ${took} ms`)
    const robbed = (await thief.givesUp(orderedAt)).map((stolen) => ({
      ...stolen,
      afterMs: stolen.refusedAt && Math.max(0, Math.round(stolen.refusedAt - orderedAt)),
    }))
    for (const one of robbed) tell(stage, one)
    return robbed
  } finally {
    thief.stop()
    for (const { held } of task.lent) held.close()
  }
}

interface Robbed extends Stolen {
  /** From the order to the first refusal. */
  readonly afterMs: number | undefined
}

function tell({ timeline }: Stage, robbed: Robbed): void {
  const { provider, entitlement, refusedAt, afterMs, refusal } = robbed
  if (refusedAt === undefined) {
    timeline.event(provider, `${entitlement} still works for the thief`, 'bad')
    return
  }
  const { demoMs, typicalMs } = PROPAGATION[provider]
  const scaled = `  simulated: ${typicalMs / 1_000} s scaled to ${demoMs} ms`
  const text = `${entitlement.padEnd(11)} refused after ${String(afterMs).padStart(4)} ms`
  timeline.past(refusedAt, provider, `${text}${demoMs < typicalMs ? scaled : ''}`, 'good')
  timeline.detail('', refusal, 'dim')
}

function demandRefused(robbed: readonly Robbed[]): void {
  const working = robbed.filter(({ afterMs }) => afterMs === undefined)
  const names = working.map(({ entitlement }) => entitlement).join(', ')
  demand(working.length === 0, `still working for the thief: ${names}`)
}

function slowest(robbed: readonly Robbed[], provider: ProviderName): number | null {
  const own = robbed.filter((one) => one.provider === provider)
  const worst = Math.max(...own.map(({ afterMs }) => afterMs ?? Number.POSITIVE_INFINITY))
  return Number.isFinite(worst) ? worst : null
}

/** What Mayfly itself claims about an end, weakest first. */
const CLAIMS = ['unknown', 'pending', 'enforced', 'proved', 'expired']

async function weakestContainment(stage: Stage, provider: ProviderName): Promise<string | null> {
  const leases: LeaseWire[] = []
  for (const { lease } of lentBy(stage.task, provider)) leases.push(await stage.settled(lease))
  const rank = ({ containment = 'unknown' }: LeaseWire) => CLAIMS.indexOf(containment)
  const [weakest] = leases.toSorted((a, b) => rank(a) - rank(b))
  if (!weakest) return null
  const { containment = 'unknown', proof, exposed_until } = weakest
  const until = `${exposed_until.slice(11, 19)} UTC`
  const relative = when(exposed_until, stage.world.clockSource.wall())
  const claim = `${containment}${proof ? ` by ${proof.method}` : ''}`
  stage.timeline.detail(provider, `${claim}, exposed until ${until} (${relative})`)
  return containment
}

/** As a SIEM signs its webhooks (Standard Webhooks). */
function signed(secret: string, body: string): Record<string, string> {
  const id = `msg_${crypto.randomUUID()}`
  const at = new Date()
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  }
}
