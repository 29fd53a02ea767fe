import { type Measured, percentile } from './job.ts'
import { killRow, stormRow } from './kill-rows.ts'
import { policyRow } from './policy-row.ts'
import type { Setting } from './setting.ts'

export interface Length {
  /** How often floor and Mayfly are measured in turn; the median ratio counts. */
  readonly pairs: number
  readonly warmUpMs: number
  readonly measureMs: number
  readonly singleMs: number
  /** How long leases are issued that live on under the rows after them. */
  readonly fillMs: number
  readonly signals: number
  readonly decisions: number
  readonly killedLeases: number
  readonly stormLeases: number
}

/** One line of the table. `met`: the target itself; `ok`: within the tolerance of this run. */
export interface Row {
  readonly name: string
  /** Empty: shown for whoever wants to know, and asked of nobody. */
  readonly target: string
  readonly value: string
  readonly floor?: string
  readonly ratio?: number
  readonly met: boolean
  readonly ok: boolean
}

interface Options {
  readonly length: Length
  readonly tolerance: number
  /** Measure only these rows, counted from 1; empty: all. */
  readonly only: readonly number[]
}

const LEAST_RATIO = 0.5
/** In a short run one issue at c=1 may take this many times the floor's request: two commits and a decision. */
const WAITING_FLOORS = 5

type Start = () => Promise<Setting>

/**
 * Measures every row, one after the other, each floor right before its Mayfly. The first three start
 * with empty databases each, floor and Mayfly alike; the others share a broker that holds many leases.
 */
export async function measureRows(start: Start, options: Options): Promise<Row[]> {
  const { tolerance } = options
  const { killedLeases, stormLeases, decisions } = options.length
  const empty: ((setting: Setting) => Promise<Row>)[] = [
    (setting) => ratioRow(setting, options, { kind: 'issue', concurrency: 16 }),
    (setting) => ratioRow(setting, options, { kind: 'issue', concurrency: 64 }),
    (setting) => ratioRow(setting, options, { kind: 'lifecycle', concurrency: 16 }),
  ]
  const full: ((setting: Setting) => Promise<Row> | Row)[] = [
    (setting) => filledRow(setting, options),
    (setting) => singleRow(setting, options),
    (setting) => signalRow(setting, options),
    (setting) => killRow(setting, { leases: killedLeases, tolerance }),
    (setting) => stormRow(setting, { leases: stormLeases, tolerance }),
    () => policyRow({ decisions, tolerance }),
  ]
  const isWanted = (at: number) => options.only.length === 0 || options.only.includes(at + 1)
  const rows: Row[] = []
  for (const [at, measure] of empty.entries()) {
    if (isWanted(at)) rows.push(...(await within(start, [measure])))
  }
  const wanted = full.filter((_, at) => isWanted(empty.length + at))
  if (wanted.length > 0) rows.push(...(await within(start, wanted)))
  return rows
}

async function within(
  start: Start,
  measurements: readonly ((setting: Setting) => Promise<Row> | Row)[],
): Promise<Row[]> {
  const setting = await start()
  const rows: Row[] = []
  try {
    for (const measure of measurements) rows.push(await measure(setting))
  } finally {
    await setting.close()
  }
  return rows
}

/** What becomes of the third row where many leases live that nobody ends meanwhile. */
async function filledRow(setting: Setting, options: Options): Promise<Row> {
  const { drive, mayflyUrl: url, evidence } = setting
  const fill = { concurrency: 64, warmUpMs: 0, measureMs: options.length.fillMs }
  const { requests } = await drive({ kind: 'issue', url, evidence, ...fill })
  const row = await ratioRow(setting, options, { kind: 'lifecycle', concurrency: 16 })
  const name = `the same over ${requests.toLocaleString('en')} live leases`
  return { ...row, name, target: '', met: true, ok: true }
}

async function ratioRow(
  { drive, floorUrl, mayflyUrl, evidence }: Setting,
  { length, tolerance }: Options,
  { kind, concurrency }: { kind: 'issue' | 'lifecycle'; concurrency: number },
): Promise<Row> {
  const { warmUpMs, measureMs } = length
  const load = { concurrency, warmUpMs, measureMs, evidence }
  const pairs: { floor: number; mayfly: number }[] = []
  for (let n = 0; n < length.pairs; n += 1) {
    const floor = perSecond(await drive({ kind: 'floor', url: floorUrl, ...load }))
    const mayfly = perSecond(await drive({ kind, url: mayflyUrl, ...load }))
    pairs.push({ floor, mayfly })
  }
  const byRatio = pairs.toSorted((a, b) => a.mayfly / a.floor - b.mayfly / b.floor)
  const { floor, mayfly } = byRatio[Math.floor(byRatio.length / 2)] ?? { floor: 1, mayfly: 0 }
  const ratio = mayfly / floor
  const what = kind === 'issue' ? 'credential requests' : 'open + issue + end, each counted'
  return {
    name: `${what}, c=${concurrency}`,
    target: `>= ${LEAST_RATIO * 100} % of the floor`,
    value: `${Math.round(mayfly)}/s = ${Math.round(ratio * 100)} %`,
    floor: `${Math.round(floor)}/s`,
    ratio,
    met: ratio >= LEAST_RATIO,
    ok: ratio >= LEAST_RATIO / tolerance,
  }
}

/** As a client sees it, so with the way there and back, over an upstream that takes no time. */
async function singleRow(
  { drive, floorUrl, mayflyUrl: url, evidence }: Setting,
  { length, tolerance }: Options,
): Promise<Row> {
  const { warmUpMs, singleMs: measureMs } = length
  const load = { concurrency: 1, warmUpMs, measureMs }
  const floor = await drive({ kind: 'floor', url: floorUrl, evidence, ...load })
  const floorMedian = percentile(floor.latencies, 0.5)
  const { latencies } = await drive({ kind: 'issue', url, evidence, ...load })
  const [median, slow] = [percentile(latencies, 0.5), percentile(latencies, 0.99)]
  return {
    name: "Mayfly's part of one issue, c=1",
    target: 'p50 <= 2 ms, p99 <= 10 ms',
    value: `p50 ${median.toFixed(2)} ms, p99 ${slow.toFixed(2)} ms`,
    floor: `p50 ${floorMedian.toFixed(2)} ms`,
    met: median <= 2 && slow <= 10,
    // Where even the floor waits for its turn, milliseconds say little about Mayfly.
    ok:
      (median <= 2 * tolerance && slow <= 10 * tolerance) ||
      (tolerance > 1 && median <= WAITING_FLOORS * floorMedian),
  }
}

/** From before the signal was sent until the upstream was told. */
async function signalRow(setting: Setting, { length, tolerance }: Options): Promise<Row> {
  const { drive, mayflyUrl: url, evidence, signalSecret: secret, revoked } = setting
  const { sentAt } = await drive({ kind: 'signal', url, evidence, count: length.signals, secret })
  const toldAt = await revoked()
  const delays = Object.entries(sentAt)
    .map(([name, sent]) => (toldAt[name] ?? Number.POSITIVE_INFINITY) - sent)
    .toSorted((a, b) => a - b)
  const slow = percentile(delays, 0.99)
  return {
    name: 'signal received -> first upstream call',
    target: 'p99 <= 50 ms',
    value: `p50 ${percentile(delays, 0.5).toFixed(1)} ms, p99 ${slow.toFixed(1)} ms`,
    met: slow <= 50,
    ok: slow <= 50 * tolerance,
  }
}

function perSecond({ requests, seconds }: Measured): number {
  return requests / seconds
}
