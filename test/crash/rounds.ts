import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { apiClient } from '../../src/client/http.ts'
import { BrokerProcess } from './broker-process.ts'
import { furnish } from './furnish.ts'
import { Load } from './load.ts'
import { Memory } from './memory.ts'
import { describeMoment, type Moment, planRound } from './moment.ts'
import { Seeded } from './seeded.ts'
import { readStored } from './stored.ts'
import { startUpstreams, type Upstreams } from './upstreams.ts'
import { type Check, judge, secretsAreNowhere } from './verdict.ts'
import { WatchedFaults, WatchedLedger } from './watched.ts'

/** A moment that never comes is made up for after this long. */
const LONGEST_ROUND_MS = 4_000
/** The broker looks for what a lost mint may have left every 30 s. */
const QUIET_BOUND_MS = 60_000
const PROPAGATION_MS = 200
/** How many credentials a thief tries while the broker is down. */
const THEFTS_PER_ROUND = 25

export interface RoundsResult {
  readonly checks: readonly Check[]
  readonly dir: string
  readonly readyMs: readonly number[]
  readonly killed: Readonly<Record<string, number>>
  readonly memory: Memory
  readonly minted: number
}

/** Kills a broker under load again and again, then lets it come to rest and judges what it left. */
export async function runRounds(options: {
  readonly rounds: number
  readonly seed: number
  readonly say: (line: string) => void
}): Promise<RoundsResult> {
  const { rounds, seed, say } = options
  const seeded = new Seeded(seed)
  const ledger = new WatchedLedger()
  const faults = new WatchedFaults()
  const upstreams = await startUpstreams({
    ledger,
    faults,
    poolSize: Math.min(120, 20 + 2 * rounds),
    propagationMs: PROPAGATION_MS,
  })
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-crash-'))
  const operatorToken = `mfo_${randomBytes(32).toString('base64url')}`
  const memory = new Memory()
  memory.secrets.push(operatorToken, ...Object.values(upstreams.env))
  furnish(dir, { upstreams, operatorToken })
  const arena: Arena = { dir, upstreams, ledger, faults, memory, seeded, operatorToken }
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
    checks.push(...(await comeToRest(arena, readyMs, say)))
    return { checks, dir, readyMs, killed, memory, minted: ledger.minted.length }
  } finally {
    await upstreams.close()
    if (checks.length > 0 && checks.every(({ problems }) => problems.length === 0)) {
      rmSync(dir, { recursive: true, force: true })
    } else say(`kept for a look: ${dir}`)
  }
}

interface Arena {
  readonly dir: string
  readonly upstreams: Upstreams
  readonly ledger: WatchedLedger
  readonly faults: WatchedFaults
  readonly memory: Memory
  readonly seeded: Seeded
  readonly operatorToken: string
}

async function oneRound(
  arena: Arena,
  round: number,
): Promise<{ moment: Moment; ready: number | undefined }> {
  const { dir, upstreams, faults, seeded } = arena
  const plan = planRound(seeded)
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
  const load = new Load({ ...arena, url, round })
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

/** Two lives without trouble: in the first all comes to rest, in the second everything is killed. */
async function comeToRest(
  arena: Arena,
  readyMs: number[],
  say: (line: string) => void,
): Promise<Check[]> {
  const { dir, ledger, faults, memory } = arena
  faults.clear()
  const left: string[] = []
  const codes: (number | null)[] = []
  const oneLife = async (work: (api: Api) => Promise<void>) => {
    const broker = new BrokerProcess({ dir, env: arena.upstreams.env })
    const url = await broker.ready()
    readyMs.push(performance.now() - broker.startedAt)
    const api = apiClient({ url, token: arena.operatorToken, timeoutMs: 15_000 })
    await work(api)
    left.push(...(await quiet(arena, api)))
    await sleep(PROPAGATION_MS + 100)
    await steal(arena, memory.leases.length)
    codes.push(await broker.stop())
    return readStored(join(dir, 'data', 'mayfly.db'))
  }
  const stored = await oneLife(async () => {})
  const checks = judge({ stored, ledger, memory, now: Date.now() })
  say('at rest after the last restart; now everything is killed')
  const after = await oneLife((api) => killAll(memory, api))
  const looked = after.leases.size
  const failed = codes.filter((code) => code !== 0)
  return [
    ...checks,
    ...judge({ stored: after, ledger, memory, now: Date.now() })
      .filter(({ problems }) => problems.length > 0)
      .map((check) => ({ ...check, name: `after a kill of all: ${check.name}` })),
    { name: `P6: what ends rests within ${QUIET_BOUND_MS / 1_000} s`, looked, problems: left },
    nothingRevocableWorks(arena, after),
    secretsAreNowhere(dir, memory.secrets),
    {
      name: 'it ends when asked to',
      looked: codes.length,
      problems: failed.map((code) => `it ended with ${code}`),
    },
  ]
}

type Api = ReturnType<typeof apiClient>

async function killAll(memory: Memory, api: Api): Promise<void> {
  const selector = { all: true } as const
  const sentAt = Date.now()
  const { kill } = await api.kill({ selector, reason: 'the end', block_seconds: 0 })
  const ordered = { round: 0, sentAt, at: Date.now() }
  const { id } = kill
  memory.kills.push({ id, by: 'operator', selector, ordered, blockedUntil: undefined })
}

/** Waits until upstreams have done all that can be done early; returns what is not done in time. */
async function quiet({ ledger }: Arena, api: Api): Promise<string[]> {
  const deadline = performance.now() + QUIET_BOUND_MS
  for (;;) {
    const left = [...(await unfinished(api)), ...(await strays(ledger, api))]
    if (left.length === 0 || performance.now() > deadline) return left
    await sleep(250)
  }
}

/** Endings that no upstream has accepted yet, but for those none can end early. */
async function unfinished(api: Api): Promise<string[]> {
  const found: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await api.endings({ limit: 100, ...(cursor === undefined ? {} : { cursor }) })
    for (const { lease, target, containment, last_error } of page.items) {
      const waits = containment !== 'enforced' && !target.includes('shared@')
      if (waits) found.push(`${lease} is ${containment}: ${last_error ?? 'not tried'}`)
    }
    if (page.next_cursor === undefined || page.next_cursor === null) return found
    cursor = page.next_cursor
  }
}

/** Working credentials of leases that are not live: late mints, not yet chased. */
async function strays(ledger: WatchedLedger, api: Api): Promise<string[]> {
  const found: string[] = []
  for (const { name, upstream } of ledger.working()) {
    if (name === undefined) continue
    const lease = await api.lease(`lease_${name.slice('mf-'.length)}`).catch(() => undefined)
    const live = lease?.state === 'active' || lease?.target.includes('shared@')
    if (!live)
      found.push(`${upstream} ${name} works, and its lease is ${lease?.state ?? 'unknown'}`)
  }
  return found
}

function nothingRevocableWorks({ ledger }: Arena, stored: ReturnType<typeof readStored>): Check {
  const working = ledger.working().filter(({ name }) => name !== undefined)
  const problems = working
    .map(({ name, upstream }) => ({ name, upstream, lease: stored.leasesByName.get(name ?? '') }))
    .filter(({ lease }) => lease?.revocability !== 'expiry')
    .map(
      ({ name, upstream, lease }) =>
        `${upstream} ${name} works (${lease?.state}, ${lease?.containment}, ${lease?.last_error})`,
    )
  const looked = ledger.minted.length
  return { name: 'P8: after a kill of all nothing works that can be ended early', looked, problems }
}

async function steal({ memory, seeded }: Arena, count: number): Promise<void> {
  const chosen =
    count >= memory.leases.length
      ? memory.leases
      : Array.from({ length: count }, () => seeded.pick(memory.leases))
  await Promise.all(chosen.flatMap((lease) => lease.uses.map((use) => use())))
}
