import { setTimeout as sleep } from 'node:timers/promises'
import { type Arena, steal } from './arena.ts'
import { BrokerProcess } from './broker-process.ts'
import { Failpoints, type KillAt } from './failpoint-plan.ts'
import { Load } from './load.ts'
import { planRound, refusals } from './moment.ts'
import { whyUnreached } from './unreached.ts'
import type { Check } from './verdict.ts'

/** A life in which the failpoint is not reached ends after this long. */
const LONGEST_LIFE_MS = 5_000
/** A life without a kill, to see what is reached at all. */
const SCOUTING_MS = { sample: 3_000, all: 20_000 }
/** Where only those are left that a life seldom gets to, it has longer for them. */
const LONGEST_RARE_LIFE_MS = 15_000
/** Each of these is waited for in so many whole lives. */
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
  const ours = new Set(idsOf(failpoints, part))
  const inVain = new Map<number, number>()
  const done = new Set<number>()
  for (;;) {
    const candidates = part.named === undefined ? failpoints.reached() : [...ours]
    const open = candidates.filter(
      (id) => ours.has(id) && !done.has(id) && (inVain.get(id) ?? 0) < LIVES_IN_VAIN,
    )
    if (open.length === 0 || done.size >= sample) break
    const orAt = open.filter((id) => inVain.has(id))
    const fresh = open.filter((id) => !inVain.has(id))
    const id = arena.seeded.pick(fresh.length > 0 ? fresh : orAt)
    const side = arena.seeded.pick(['before', 'after'] as const)
    const kill = { id, side, nth: inVain.has(id) ? 1 : arena.seeded.between(1, 3), orAt }
    const forMs = fresh.length > 0 ? LONGEST_LIFE_MS : LONGEST_RARE_LIFE_MS
    const died = await oneLife(sweep, { kill, forMs })
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

/** The n-th of so many shares, or of it only what is named so, which is waited for unseen. */
export interface Part {
  readonly nth: number
  readonly of: number
  readonly named: RegExp | undefined
}

function idsOf({ points }: Failpoints, { nth, of, named }: Part): readonly number[] {
  const ids = [...points.keys()].filter((id) => id % of === nth - 1)
  return ids.filter((id) => named?.test(points[id]?.name ?? '') ?? true)
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
  const rare = (kill?.orAt ?? []).length > 0 ? refusals() : []
  for (const { operation, fault, times } of [...rare, ...planRound(arena).faults]) {
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
  const ids = idsOf(failpoints, part).filter((id) => !killedAt.has(id))
  const unreached = ids.flatMap((id) => failpoints.points[id] ?? [])
  const problems = unreached
    .filter((point) => whyUnreached(point) === undefined)
    .map(({ name }) => `never killed at ${name}`)
  const looked = idsOf(failpoints, part).length
  return { name: 'every failpoint was reached or is excused', looked, problems }
}
