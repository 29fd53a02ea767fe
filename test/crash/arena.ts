import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { furnish } from './furnish.ts'
import { Memory } from './memory.ts'
import { Seeded } from './seeded.ts'
import { startUpstreams, type Upstreams } from './upstreams.ts'
import { WatchedFaults, WatchedLedger } from './watched.ts'

/** Instead of 4 s and 120 s: how long a denial takes to bite. */
export const PROPAGATION_MS = 200

/** What outlives every broker of a run: its files, its upstreams, and all it ever acknowledged. */
export interface Arena {
  readonly dir: string
  readonly upstreams: Upstreams
  readonly ledger: WatchedLedger
  readonly faults: WatchedFaults
  readonly memory: Memory
  readonly seeded: Seeded
  readonly operatorToken: string
  /** Whether upstreams say they ended what they did not. */
  readonly lies: boolean
  /** Keeps the files for a look unless all went well. */
  close(how: 'well' | 'badly'): Promise<void>
}

export async function openArena(options: {
  readonly seed: number
  /** How often the broker will be started: each life takes some accounts of the pool. */
  readonly lives: number
  readonly lies: boolean
  readonly say: (line: string) => void
}): Promise<Arena> {
  const ledger = new WatchedLedger()
  const faults = new WatchedFaults()
  const upstreams = await startUpstreams({
    ledger,
    faults,
    poolSize: Math.min(120, 20 + 2 * options.lives),
    propagationMs: PROPAGATION_MS,
  })
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-crash-'))
  const operatorToken = `mfo_${randomBytes(32).toString('base64url')}`
  const memory = new Memory()
  memory.secrets.push(operatorToken, ...Object.values(upstreams.env))
  furnish(dir, { upstreams, operatorToken, anchor: join(dir, 'anchor.jsonl') })
  const seeded = new Seeded(options.seed)
  return {
    ...{ dir, upstreams, ledger, faults, memory, seeded, operatorToken, lies: options.lies },
    async close(how) {
      await upstreams.close()
      if (how === 'well') rmSync(dir, { recursive: true, force: true })
      else options.say(`kept for a look: ${dir}`)
    },
  }
}

/** A thief tries some of the credentials that were ever given out. */
export async function steal({ memory, seeded }: Arena, count: number): Promise<void> {
  if (memory.leases.length === 0) return
  const chosen =
    count >= memory.leases.length
      ? memory.leases
      : Array.from({ length: count }, () => seeded.pick(memory.leases))
  await Promise.all(chosen.flatMap((lease) => lease.uses.map((use) => use())))
}
