/**
 * Loaded before a broker (`--import`): gives it the instrumented sources and kills it at one
 * failpoint. Nothing of this is known to the sources themselves.
 */
import { openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { registerHooks } from 'node:module'
import Sqlite from 'better-sqlite3'
import type { FailpointPlan } from './failpoint-plan.ts'

// Only the harness sets it, to a file that it wrote itself.
const plan: FailpointPlan = JSON.parse(readFileSync(process.env.MAYFLY_FAILPOINTS ?? '', 'utf8'))
delete process.env.MAYFLY_FAILPOINTS
const sources: Readonly<Record<string, string>> = JSON.parse(readFileSync(plan.sources, 'utf8'))
const hits = openSync(plan.hits, 'a')
const seen = new Map<string, number>()

function reach(side: 'before' | 'after', id: number): void {
  const key = `${id} ${side}`
  const times = (seen.get(key) ?? 0) + 1
  seen.set(key, times)
  if (times === 1 && side === (id === plan.upgrade.within ? 'after' : 'before'))
    writeSync(hits, `${id}\n`)
  const { kill } = plan
  const here = kill?.id === id && kill.side === side && kill.nth === times
  const rather = kill?.side === side && kill.orAt?.includes(id)
  if (!here && !rather && !(side === 'after' && kill?.orAfter === id)) return
  writeFileSync(plan.died, String(id))
  process.kill(process.pid, 'SIGKILL')
  // Not one more instruction, should the signal take its time.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** An upgrade is one call of a library: its statements are failpoints of their own. */
const prepare = Sqlite.prototype.prepare
Sqlite.prototype.prepare = function (this: Sqlite.Database, source: string) {
  const statement = prepare.call(this, source)
  const { within, statement: id } = plan.upgrade
  if (seen.get(`${within} before`) === undefined || seen.has(`${within} after`)) return statement
  const run = statement.run
  statement.run = (...values: unknown[]) => {
    reach('before', id)
    const result = Reflect.apply(run, statement, values)
    reach('after', id)
    return result
  }
  return statement
} as typeof prepare

Object.assign(globalThis, {
  __failpoints: {
    before: (id: number) => reach('before', id),
    after<T>(id: number, value: T): T {
      reach('after', id)
      return value
    },
  },
})

registerHooks({
  load(url, context, nextLoad) {
    const source = sources[url]
    if (source === undefined) return nextLoad(url, context)
    return { format: 'module-typescript', source, shortCircuit: true }
  },
})
