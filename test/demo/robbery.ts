import { when } from '../../src/cli/when.ts'
import type { LeaseWire } from '../../src/model/wire.ts'
import type { ProviderName } from './agent.ts'
import { demand, lentBy, PROVIDERS, type Stage } from './stage.ts'
import { type Stolen, Thief } from './thief.ts'
import { PROPAGATION } from './upstreams.ts'

/** What became of the stolen credentials of each provider. */
export type Loot = Readonly<Record<ProviderName, Outcome>>

export interface Outcome {
  /** From the order to the last one's first refusal; null: one of them was never refused. */
  readonly refusedAfterMs: number | null
  /** What Mayfly claims of their leases by then, the weakest. */
  readonly containment: string | null
}

/**
 * A thief copies what the task was lent and uses it → `order` → the thief is refused → what Mayfly
 * claims to know about it.
 */
export async function robbery(
  stage: Stage,
  what: string,
  order: () => Promise<void>,
): Promise<Loot> {
  const { timeline, task } = stage
  const thief = new Thief(task.lent.map(({ held }) => held))
  try {
    await thief.hasUsedAll()
    timeline.event(
      'thief',
      `uses copies of all ${task.lent.length} every 50 ms, and they work`,
      'bad',
    )
    const orderedAt = performance.now()
    await order()
    const took = Math.round(performance.now() - orderedAt)
    timeline.past(orderedAt, 'order', `${what}: accepted within ${took} ms`)
    const stolen = await thief.givesUp(orderedAt)
    for (const one of stolen) tell(stage, one, orderedAt)
    const outcome = async (provider: ProviderName) => ({
      refusedAfterMs: slowest(stolen, provider, orderedAt),
      containment: await weakestContainment(stage, provider),
    })
    return { aws: await outcome('aws'), vault: await outcome('vault'), gcp: await outcome('gcp') }
  } finally {
    thief.stop()
    for (const { held } of task.lent) held.close()
  }
}

/** Fails the step where anything still works, or Mayfly cannot say that it was ended. */
export function demandDead(loot: Loot): void {
  for (const name of PROVIDERS) {
    const { refusedAfterMs, containment } = loot[name]
    demand(refusedAfterMs !== null, `what was lent by ${name} still works for the thief`)
    const ended = containment === 'enforced' || containment === 'proved'
    demand(ended, `mayfly calls the end at ${name} ${containment}`)
  }
}

function tell({ timeline }: Stage, stolen: Stolen, orderedAt: number): void {
  const { provider, entitlement, refusedAt, refusal } = stolen
  if (refusedAt === undefined) {
    timeline.event(provider, `${entitlement} still works for the thief`, 'bad')
    return
  }
  const { demoMs, typicalMs } = PROPAGATION[provider]
  const scaled = `  simulated: ${typicalMs / 1_000} s scaled to ${demoMs} ms`
  const ms = String(Math.round(refusedAt - orderedAt)).padStart(4)
  const text = `${entitlement.padEnd(11)} refused after ${ms} ms`
  timeline.past(refusedAt, provider, `${text}${demoMs < typicalMs ? scaled : ''}`, 'good')
  timeline.detail('', refusal, 'dim')
}

function slowest(
  stolen: readonly Stolen[],
  provider: ProviderName,
  orderedAt: number,
): number | null {
  const own = stolen.filter((one) => one.provider === provider)
  const worst = Math.max(...own.map(({ refusedAt = Number.POSITIVE_INFINITY }) => refusedAt))
  return Number.isFinite(worst) ? Math.round(worst - orderedAt) : null
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
