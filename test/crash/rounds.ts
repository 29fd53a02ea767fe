import { setTimeout as sleep } from 'node:timers/promises'
import { type Arena, openArena, steal } from './arena.ts'
import { comeToRest } from './at-rest.ts'
import { BrokerProcess } from './broker-process.ts'
import { killFirstStarts } from './first-start.ts'
import { Load } from './load.ts'
import type { Memory } from './memory.ts'
import { describeMoment, type Moment, planRound } from './moment.ts'
import { everyFailpointWasReached, type Part, sweepFailpoints } from './sweep.ts'
import { killUpgrades } from './upgrade.ts'
import type { Check } from './verdict.ts'

/** A moment that never comes is made up for after this long. */
const LONGEST_ROUND_MS = 4_000
/** How many credentials a thief tries while the broker is down. */
const THEFTS_PER_ROUND = 25

export interface RunResult {
  readonly checks: readonly Check[]
  readonly readyMs: readonly number[]
  readonly killed: Readonly<Record<string, number>>
  readonly memory: Memory
  readonly minted: number
}

/** Kills a broker under load again and again, then lets it come to rest and judges what it left. */
export async function runRounds(options: {
  readonly rounds: number
  /** After the rounds, at so many failpoints; infinite: at every one. */
  readonly failpoints: number
  readonly part: Part
  readonly lies: boolean
  readonly seed: number
  readonly say: (line: string) => void
}): Promise<RunResult> {
  const { rounds, failpoints, part, lies, seed, say } = options
  const lives = rounds + failpoints
  const arena = await openArena({ seed, lives, lies, say })
  const { ledger, memory } = arena
  const readyMs: number[] = []
  const killed: Record<string, number> = {}
  const checks: Check[] = []
  try {
    for (let round = 1; round <= rounds; round += 1) {
      const { moment, ready } = await oneRound(arena, round)
      killed[moment.kind] = (killed[moment.kind] ?? 0) + 1
      if (ready !== undefined) readyMs.push(ready)
      const live = ledger.working().length
      say(
        `round ${round}: killed ${describeMoment(moment)}; ${ledger.minted.length} minted, ${live} work`,
      )
    }
    if (failpoints > 0) {
      const swept = await sweepFailpoints(arena, { sample: failpoints, part, readyMs, say })
      killed['at a failpoint'] = swept.killedAt.size
      if (failpoints === Number.POSITIVE_INFINITY) {
        const whole = part.named === undefined
        const first = whole ? await killFirstStarts(arena, say) : undefined
        const killedAt = new Set([...swept.killedAt, ...(first?.killedAt ?? [])])
        checks.push(everyFailpointWasReached(swept.failpoints, { killedAt, part }))
        if (first) checks.push(first.check)
        if (whole && part.nth === part.of) checks.push(await killUpgrades(arena, say))
      }
    }
    checks.push(...(await comeToRest(arena, readyMs, say)))
    return { checks, readyMs, killed, memory, minted: ledger.minted.length }
  } finally {
    const well = checks.length > 0 && checks.every(({ problems }) => problems.length === 0)
    await arena.close(well ? 'well' : 'badly')
  }
}

async function oneRound(
  arena: Arena,
  round: number,
): Promise<{ moment: Moment; ready: number | undefined }> {
  const { dir, upstreams, faults } = arena
  const plan = planRound(arena)
  const { moment } = plan
  faults.clear()
  for (const { operation, fault, times } of plan.faults) faults.plan(operation, fault, times)
  const broker = new BrokerProcess({ dir, env: upstreams.env })
  if (moment.kind === 'starting') {
    await sleep(moment.afterMs)
    assertAlive(broker, round)
    await broker.kill()
    return { moment, ready: undefined }
  }
  const url = await broker.ready()
  const ready = performance.now() - broker.startedAt
  upstreams.ownApi.at(url)
  const load = new Load({ ...arena, url, pid: broker.pid, round })
  await killedAt(arena, { moment, broker, round })
  const unexpected = await load.stop()
  if (unexpected.length > 0)
    throw new Error(`round ${round}: an answer nobody expected`, { cause: unexpected[0] })
  await steal(arena, THEFTS_PER_ROUND)
  return { moment, ready }
}

/** Resolves when the broker is dead; the signal is sent in the very call that makes the moment. */
async function killedAt(
  { ledger, faults, memory }: Arena,
  { moment, broker, round }: { moment: Moment; broker: BrokerProcess; round: number },
): Promise<void> {
  let left = 'nth' in moment ? moment.nth : Number.POSITIVE_INFINITY
  const count = () => {
    left -= 1
    if (left === 0) broker.killNow()
  }
  if (moment.kind === 'minted') ledger.onMint = count
  if (moment.kind === 'called') faults.onCall = count
  if (moment.kind === 'answered') memory.onAnswer = count
  const until = performance.now() + ('afterMs' in moment ? moment.afterMs : LONGEST_ROUND_MS)
  while (performance.now() < until && left > 0) {
    assertAlive(broker, round)
    await sleep(10)
  }
  for (const watched of [ledger, faults, memory] as const) {
    if ('onMint' in watched) watched.onMint = () => {}
    if ('onCall' in watched) watched.onCall = () => {}
    if ('onAnswer' in watched) watched.onAnswer = () => {}
  }
  await broker.kill()
}

function assertAlive(broker: BrokerProcess, round: number): void {
  if (broker.over)
    throw new Error(`round ${round}: the broker fell by itself:\n${broker.lastWords()}`)
}
