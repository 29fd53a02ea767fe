/**
 * Half an hour of trouble at each upstream (P6, P13, P17; DESIGN §10): the broker with the real
 * clients over sandboxes that keep a ledger of their own, on simulated time, with leases that end
 * meanwhile in every way. Afterwards everything has to be contained within a minute, by itself.
 *
 *   npm run test:outage                    every trouble at every upstream, 500 leases each
 *   npm run test:outage -- --short         one of each upstream, 30 leases
 *   npm run test:outage -- --at-once 1     one after another, instead of as many as there are cores
 *   npm run test:outage -- --provider vault --trouble 429 --leases N --seed S
 */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { BOUND_MS, type Cell } from './cell.ts'
import { PROVIDERS, type ProviderName } from './ground.ts'
import { TROUBLES } from './trouble.ts'

const { values } = parseArgs({
  options: {
    provider: { type: 'string' },
    trouble: { type: 'string' },
    leases: { type: 'string' },
    seed: { type: 'string' },
    'at-once': { type: 'string', default: String(availableParallelism()) },
    short: { type: 'boolean', default: false },
  },
})
const leases = Number(values.leases ?? (values.short ? 30 : 500))
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
/** One trouble of each upstream: no answer, every answer lost, connections refused. */
const SHORT = [1, 5, 0]
const say = (line: string) => process.stdout.write(`${line}\n`)
const chosen = PROVIDERS.flatMap((provider, column) =>
  TROUBLES.filter(({ name }, row) => {
    if (values.provider !== undefined && values.provider !== provider) return false
    if (values.trouble !== undefined) return name.includes(values.trouble)
    return !values.short || row === (SHORT[column] ?? 0)
  }).map((trouble) => ({ provider, trouble })),
)

say(`30 min of trouble, simulated; ${leases} leases end meanwhile; --seed ${seed}`)
say(row(['upstream', 'trouble', 'contained after', 'requests', 'minted', 'others', 'real']))
let failed = 0
const waiting = [...chosen]
const atOnce = Math.max(1, Number(values['at-once']) || 1)
await Promise.all(Array.from({ length: atOnce }, runWaiting))
say(`${chosen.length - failed} of ${chosen.length} as promised`)
const file = process.env.MAYFLY_RESULT_FILE
const counts = { passed: chosen.length - failed, failed, skipped: 0 }
if (file) writeFileSync(file, JSON.stringify(counts))
process.exitCode = failed === 0 ? 0 : 1

async function runWaiting(): Promise<void> {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { provider, trouble } = next
    const began = performance.now()
    const cell = await inProcess(provider, trouble.name).catch(String)
    const real = `${Math.round((performance.now() - began) / 1_000)} s`
    const came = typeof cell === 'string' ? undefined : cell
    const facts = came && [after(came), came.requests, came.minted, others(came)]
    say(row([provider, trouble.name, ...(facts ?? ['-', '-', '-', '-']), real]))
    const problems = came?.problems ?? [`it did not come to an end: ${cell}`]
    for (const problem of problems.slice(0, 5)) say(`     FAIL ${problem}`)
    if (problems.length > 0) failed += 1
  }
}

/** Apart, because simulated time takes hold of a whole process. */
async function inProcess(provider: ProviderName, trouble: string): Promise<Cell> {
  const program = fileURLToPath(new URL('cell-process.ts', import.meta.url))
  const which = ['--provider', provider, '--trouble', trouble]
  const how = ['--leases', String(leases), '--seed', String(seed)]
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--max-semi-space-size=32',
    program,
    ...which,
    ...how,
  ])
  // Written by `cell-process.ts`.
  return JSON.parse(stdout) as Cell
}

function after({ containedAfterMs }: Cell): string {
  return containedAfterMs === undefined ? `> ${BOUND_MS / 1000} s` : `${containedAfterMs / 1000} s`
}

function others({ othersMs }: Cell): string {
  return `≤ ${othersMs / 1000} s`
}

function row(cells: readonly (string | number)[]): string {
  const widths = [9, 30, 16, 9, 7, 8, 6]
  return cells.map((cell, at) => String(cell).padEnd(widths[at] ?? 0)).join(' ')
}
