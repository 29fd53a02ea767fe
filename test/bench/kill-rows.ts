import { percentile } from './job.ts'
import type { Row } from './rows.ts'
import type { Setting } from './setting.ts'

const ACKNOWLEDGED_MS = 50
const ENDED_MS = 1_000

interface Options {
  readonly leases: number
  readonly tolerance: number
}

/** Until the order is acknowledged, and until an operator sees every lease ended. */
export async function killRow(setting: Setting, { leases, tolerance }: Options): Promise<Row> {
  const { drive, mayflyUrl: url, operator, doomed } = setting
  const [first] = doomed
  if (!first) throw new Error('nobody to kill')
  const measured = await drive({ kind: 'kill', url, operator, doomed: first, leases })
  const acknowledged = percentile(measured.acknowledged ?? [], 1)
  const ended = percentile(measured.latencies, 1)
  return {
    name: `kill an agent with ${leases} live leases`,
    target: `acknowledged <= ${ACKNOWLEDGED_MS} ms, all ended <= ${ENDED_MS} ms`,
    value: `acknowledged ${acknowledged.toFixed(1)} ms, all ended ${ended.toFixed(0)} ms`,
    met: acknowledged <= ACKNOWLEDGED_MS && ended <= ENDED_MS,
    ok: acknowledged <= ACKNOWLEDGED_MS * tolerance && ended <= ENDED_MS * tolerance,
  }
}

/** Each kill from before it was sent until all its leases are seen ended, while all others expire. */
export async function stormRow(setting: Setting, { leases, tolerance }: Options): Promise<Row> {
  const { drive, mayflyUrl: url, operator, evidence } = setting
  const doomed = setting.doomed.slice(1)
  const measured = await drive({ kind: 'storm', url, operator, doomed, evidence, leases })
  const [median, slow] = [0.5, 0.99].map((part) => percentile(measured.latencies, part))
  const acknowledged = percentile(measured.acknowledged ?? [], 0.99)
  if (median === undefined || slow === undefined) throw new Error('nothing was measured')
  return {
    name: `${doomed.length} kills while ${leases} leases expire`,
    target: `p99 <= ${ENDED_MS} ms`,
    value: `p50 ${median.toFixed(0)} ms, p99 ${slow.toFixed(0)} ms, acknowledged p99 ${acknowledged.toFixed(0)} ms, over ${measured.seconds.toFixed(1)} s`,
    met: slow <= ENDED_MS,
    ok: slow <= ENDED_MS * tolerance,
  }
}
