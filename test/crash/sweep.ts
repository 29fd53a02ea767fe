import { setTimeout as sleep } from 'node:timers/promises'
import { type Arena, steal } from './arena.ts'
import { BrokerProcess } from './broker-process.ts'
import { Failpoints, type KillAt } from './failpoint-plan.ts'
import { Load } from './load.ts'
import { planRound } from './moment.ts'
import { whyUnreached } from './unreached.ts'
import type { Check } from './verdict.ts'

/** A life in which the failpoint is not reached ends after this long. */
const LONGEST_LIFE_MS = 5_000
/** A life without a kill, to see what is reached at all. */
const SCOUTING_MS = { sample: 3_000, all: 20_000 }
/** A failpoint that is reached sometimes is waited for in so many whole lives. */
const LIVES_IN_VAIN = 30
const THEFTS_PER_LIFE = 10
const STOPPING = /: stop|^serve\.ts stop|lifecycle\.ts stop|\.close$|closeUnused/

/**
 * Kills a broker under load at every failpoint it reaches, or at a `sample` of them; the seed
 * chooses the order, and whether just before or just after. One that a life did not come to again
 * is waited for in all that follow: each dies at the first of those it gets to.
 */
export async function sweepFailpoints(
  arena: Arena,
  options: {
    readonly sample: number
    readonly part: Part
    readonly readyMs: number[]
    readonly say: (line: string) => void
  },
): Promise<{ readonly failpoints: Failpoints; readonly killedAt: ReadonlySet<number> }> {
  const { sample, part, readyMs, say } = options
  const failpoints = new Failpoints(arena.dir)
  const sweep: Sweep = { arena, failpoints, readyMs, life: 0 }
  const scouting = sample === Number.POSITIVE_INFINITY ? SCOUTING_MS.all : SCOUTING_MS.sample
  await oneLife(sweep, { forMs: scouting })
  const inVain = new Map<number, number>()
  const done = new Set<number>()
  for (;;) {
    const open = failpoints
      .reached()
      .filter((id) => isOf(part, id) && !done.has(id) && (inVain.get(id) ?? 0) < LIVES_IN_VAIN)
    if (open.length === 0 || done.size >= sample) break
    const orAt = open.filter((id) => inVain.has(id))
    const fresh = open.filter((id) => !inVain.has(id))
    const id = arena.seeded.pick(fresh.length > 0 ? fresh : orAt)
    const side = arena.seeded.pick(['before', 'after'] as const)
    const kill = { id, side, nth: inVain.has(id) ? 1 : arena.seeded.between(1, 3), orAt }
    const died = await oneLife(sweep, { kill, forMs: LONGEST_LIFE_MS })
    if (died === undefined) {
      for (const each of [id, ...orAt]) inVain.set(each, (inVain.get(each) ?? 0) + 1)
      say(`not reached ${failpoints.points[id]?.name}; ${orAt.length} rare of ${open.length} left`)
    } else {
      done.add(died)
      say(`killed ${side} ${failpoints.points[died]?.name}; ${open.length} left`)
    }
  }
  return { failpoints, killedAt: done }
}

/** The n-th of so many shares. */
interface Part {
  readonly nth: number
  readonly of: number
}

function isOf({ nth, of }: Part, id: number): boolean {
  return id % of === nth - 1
}

interface Sweep {
  readonly arena: Arena
  readonly failpoints: Failpoints
  readonly readyMs: number[]
  life: number
}

/** One life of the broker under load; the failpoint at which it died. */
async function oneLife(
  sweep: Sweep,
  { kill, forMs }: { readonly kill?: KillAt; readonly forMs: number },
): Promise<number | undefined> {
  const { arena, failpoints, readyMs } = sweep
  const { dir, upstreams, faults } = arena
  sweep.life += 1
  faults.clear()
  for (const { operation, fault, times } of planRound(arena).faults) {
    faults.plan(operation, fault, times)
  }
  const broker = new BrokerProcess({ dir, env: upstreams.env, failpoints: failpoints.plan(kill) })
  const url = await broker.ready().catch((error) => {
    if (kill !== undefined && broker.killed) return undefined
    throw error
  })
  if (url === undefined) return failpoints.died()
  readyMs.push(performance.now() - broker.startedAt)
  upstreams.ownApi.at(url)
  const load = new Load({ ...arena, url, pid: broker.pid, round: sweep.life })
  const until = performance.now() + forMs
  while (performance.now() < until && !broker.over) await sleep(10)
  if (broker.over && !broker.killed)
    throw new Error(`the broker fell by itself:\n${broker.lastWords()}`)
  // What has not come by now may come when it stops, which takes its time under load.
  const awaited = kill === undefined ? [] : [kill.id, ...(kill.orAt ?? [])]
  const names = awaited.map((id) => failpoints.points[id]?.name ?? '')
  if (kill === undefined || names.some((name) => STOPPING.test(name))) {
    faults.clear()
    await broker.stop()
  } else await broker.kill()
  const unexpected = await load.stop()
  if (unexpected.length > 0) {
    throw new Error(`life ${sweep.life}: an answer nobody expected`, { cause: unexpected[0] })
  }
  await steal(arena, THEFTS_PER_LIFE)
  return failpoints.died()
}

export function everyFailpointWasReached(
  failpoints: Failpoints,
  { killedAt, part }: { readonly killedAt: ReadonlySet<number>; readonly part: Part },
): Check {
  const problems = failpoints.points.flatMap((point, id) =>
    killedAt.has(id) || !isOf(part, id) || whyUnreached(point) !== undefined
      ? []
      : [`never killed at ${point.name}`],
  )
  const looked = failpoints.points.length
  return { name: 'every failpoint was reached or is excused', looked, problems }
}
