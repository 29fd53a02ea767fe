import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Arena } from './arena.ts'
import { BrokerProcess } from './broker-process.ts'
import { Failpoints } from './failpoint-plan.ts'
import type { Check } from './verdict.ts'

/**
 * Kills the very first start at each failpoint it reaches, on both sides: whatever it left of keys
 * and database, the next start is ready.
 */
export async function killFirstStarts(
  arena: Arena,
  say: (line: string) => void,
): Promise<{ readonly killedAt: readonly number[]; readonly check: Check }> {
  const places = await reachedByStarting(arena)
  const problems: string[] = []
  for (const { id, name } of places) {
    for (const side of ['before', 'after'] as const) {
      const { dir, failpoints } = newborn(arena)
      const env = arena.upstreams.env
      const first = new BrokerProcess({
        dir,
        env,
        failpoints: failpoints.plan({ id, side, nth: 1 }),
      })
      const survived = await first.ready().catch(() => undefined)
      if (survived !== undefined) problems.push(`not killed ${side} ${name}`)
      await first.kill()
      const second = new BrokerProcess({ dir, env })
      const trouble = await second.ready().then(
        () => undefined,
        (error) => `${side} ${name}: ${error instanceof Error ? error.message : error}`,
      )
      if (trouble !== undefined) problems.push(trouble)
      await second.kill()
    }
  }
  say(`killed first starts at ${places.length} failpoints, on both sides`)
  const name = 'a first start that is cut off can be repeated'
  const killedAt = places.map(({ id }) => id)
  return { killedAt, check: { name, looked: places.length, problems } }
}

async function reachedByStarting(arena: Arena): Promise<{ id: number; name: string }[]> {
  const { dir, failpoints } = newborn(arena)
  const env = arena.upstreams.env
  const broker = new BrokerProcess({ dir, env, failpoints: failpoints.plan(undefined) })
  await broker.ready()
  // What it reaches later than that belongs to no start.
  const ids = failpoints.reached()
  await broker.kill()
  return ids
    .map((id) => ({ id, point: failpoints.points[id] }))
    .filter(({ point }) => point !== undefined && BELONGS_TO_STARTING.test(point.file))
    .map(({ id, point }) => ({ id, name: point?.name ?? '' }))
}

const BELONGS_TO_STARTING =
  /(serve|kept-key|kept-keys|receipt-keys|durable-file|signer|epoch|database|keep-policies|upstreams|lifecycle\/lifecycle)\.ts$/

/** The same configuration, and nothing else. */
function newborn(arena: Arena): { dir: string; failpoints: Failpoints } {
  const dir = join(arena.dir, 'newborn')
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir)
  for (const name of ['mayfly.yaml', 'policies']) {
    cpSync(join(arena.dir, name), join(dir, name), { recursive: true })
  }
  return { dir, failpoints: new Failpoints(dir) }
}
