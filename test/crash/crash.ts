/**
 * SIGKILL rounds (P1, P6, P8): a real `mayfly serve` over a real database file and sandbox
 * upstreams that keep a ledger of their own, killed again and again under load, then judged.
 *
 *   npm run test:crash                    50 rounds at random moments
 *   npm run test:crash -- --failpoints    at every await of what issues, ends and reloads
 *                                         and at every statement of an upgrade and step of a first start
 *       --part 1/2                        the first half of these, to share them among cores
 *       --named dropPolicy                only at awaits that are named so
 *   npm run test:crash -- --lies          upstreams say they ended what they did not
 *   npm run test:crash -- --short         5 rounds and 6 failpoints
 *   npm run test:crash -- --rounds N --seed S
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runRounds } from './rounds.ts'

const DEFAULT_ROUNDS = 50
const SHORT_ROUNDS = 5
const SHORT_FAILPOINTS = 6

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seed: { type: 'string' },
    short: { type: 'boolean', default: false },
    failpoints: { type: 'boolean', default: false },
    lies: { type: 'boolean', default: false },
    part: { type: 'string', default: '1/1' },
    named: { type: 'string' },
  },
})
const usual = values.short ? SHORT_ROUNDS : values.failpoints ? 0 : DEFAULT_ROUNDS
const rounds = Number(values.rounds ?? usual)
const failpoints = values.failpoints
  ? Number.POSITIVE_INFINITY
  : values.short
    ? SHORT_FAILPOINTS
    : 0
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const [nth = 1, of = 1] = values.part.split('/').map(Number)
const named = values.named === undefined ? undefined : new RegExp(values.named)
const say = (line: string) => process.stdout.write(`${line}\n`)

const again = [
  ...(values.failpoints ? ['--failpoints'] : []),
  ...(values.short ? ['--short'] : []),
  ...(values.lies ? ['--lies'] : []),
  ...(of > 1 ? ['--part', values.part] : []),
  ...(named ? ['--named', `'${named.source}'`] : []),
]
say(`again: npm run test:crash -- ${[...again, '--rounds', rounds, '--seed', seed].join(' ')}`)
say('upstreams: sandbox, propagation scaled down (simulated)')
process.exitCode = await main()

async function main(): Promise<number> {
  const began = performance.now()
  try {
    const { checks, readyMs, killed, memory, minted } = await runRounds({
      ...{ rounds, failpoints, part: { nth, of, named }, lies: values.lies, seed, say },
    })
    const failed = checks.filter(({ problems }) => problems.length > 0)
    for (const { name, looked, problems } of checks) {
      say(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${name} (${looked} looked at)`)
      for (const problem of problems.slice(0, 10)) say(`       ${problem}`)
      if (problems.length > 10) say(`       and ${problems.length - 10} more`)
    }
    say(`killed: ${entries(Object.entries(killed))}; refusals: ${entries(memory.refusals)}`)
    say(`${memory.answers} acknowledged, ${minted} credentials minted, ${timesOf(readyMs)}`)
    say(`${Math.round((performance.now() - began) / 1_000)} s, seed ${seed}`)
    report({ passed: checks.length - failed.length, failed: failed.length })
    return failed.length === 0 ? 0 : 1
  } catch (error) {
    say(`FAIL seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
    if (error instanceof Error && error.cause !== undefined) console.log(error.cause)
    report({ passed: 0, failed: 1 })
    return 1
  }
}

function timesOf(readyMs: readonly number[]): string {
  const sorted = readyMs.toSorted((a, b) => a - b)
  const at = (part: number) => Math.round(sorted[Math.floor((sorted.length - 1) * part)] ?? 0)
  return `ready after ${at(0.5)} ms (median), ${at(1)} ms (longest)`
}

function entries(counts: Iterable<readonly [string, number]>): string {
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ') || 'none'
}

function report(counts: { passed: number; failed: number }): void {
  const file = process.env.MAYFLY_RESULT_FILE
  if (file) writeFileSync(file, JSON.stringify({ ...counts, skipped: 0 }))
}
