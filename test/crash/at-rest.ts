import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { apiClient } from '../../src/client/http.ts'
import { isProbe } from '../sandbox/probes.ts'
import { type Arena, PROPAGATION_MS, steal } from './arena.ts'
import { BrokerProcess } from './broker-process.ts'
import type { Memory } from './memory.ts'
import { readStored, type StoredLease } from './stored.ts'
import { type Check, judge, secretsAreNowhere } from './verdict.ts'

/** The broker looks for what a lost mint may have left every 30 s. */
const QUIET_BOUND_MS = 60_000

/** Two lives without trouble: in the first all comes to rest, in the second everything is killed. */
export async function comeToRest(
  arena: Arena,
  readyMs: number[],
  say: (line: string) => void,
): Promise<Check[]> {
  const { dir, ledger, faults, memory } = arena
  faults.clear()
  const left: string[] = []
  const codes: (number | string)[] = []
  const oneLife = async (work: (api: Api) => Promise<void>) => {
    const broker = new BrokerProcess({ dir, env: arena.upstreams.env })
    const url = await broker.ready()
    arena.upstreams.ownApi.at(url)
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
async function quiet({ ledger, lies }: Arena, api: Api): Promise<string[]> {
  const deadline = performance.now() + QUIET_BOUND_MS
  for (;;) {
    const left = [...(await unfinished(api)), ...(await strays({ ledger, lies }, api))]
    if (left.length === 0 || performance.now() > deadline) return left
    await sleep(250)
  }
}

/** Hundreds of rounds end more on one role than may be refused early; a kill is none of these. */
const RUNS_OUT = /runs out by itself|kept for kills/

/** Endings that no upstream has accepted yet, but for those none can end early. */
async function unfinished(api: Api): Promise<string[]> {
  const found: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await api.endings({ limit: 100, ...(cursor === undefined ? {} : { cursor }) })
    for (const { lease, target, containment, last_error } of page.items) {
      const waits =
        containment !== 'enforced' &&
        !target.includes('shared@') &&
        !RUNS_OUT.test(last_error ?? '')
      if (waits) found.push(`${lease} is ${containment}: ${last_error ?? 'not tried'}`)
    }
    if (page.next_cursor === undefined || page.next_cursor === null) return found
    cursor = page.next_cursor
  }
}

/** Working credentials of leases that are not live: late mints, not yet chased. */
async function strays(
  { ledger, lies }: Pick<Arena, 'ledger' | 'lies'>,
  api: Api,
): Promise<string[]> {
  const found: string[] = []
  for (const record of ledger.working()) {
    const { name, upstream } = record
    if (name === undefined || isProbe(record)) continue
    const lease = await api.lease(`lease_${name.slice('mf-'.length)}`).catch(() => undefined)
    const live = lease?.state === 'active' || lease?.target.includes('shared@')
    // Where an upstream lied that it refuses it, no more is owed than to say so.
    const honest =
      lies &&
      lease?.state === 'ending' &&
      lease.containment === 'enforced' &&
      Date.parse(lease.exposed_until) > Date.now()
    if (!live && !honest)
      found.push(`${upstream} ${name} works, and its lease is ${lease?.state ?? 'unknown'}`)
  }
  return found
}

/** An upstream said that it refuses it, and it is not claimed to be over. */
function isHonest({ state, containment, exposed_until }: StoredLease): boolean {
  return state === 'ending' && containment === 'enforced' && exposed_until > Date.now()
}

function nothingRevocableWorks(
  { ledger, lies }: Arena,
  stored: ReturnType<typeof readStored>,
): Check {
  const working = ledger.working().filter((record) => record.name !== undefined && !isProbe(record))
  const problems = working
    .map(({ name, upstream }) => ({ name, upstream, lease: stored.leasesByName.get(name ?? '') }))
    .filter(({ lease }) => lease?.revocability !== 'expiry')
    .filter(({ lease }) => !(lies && lease && isHonest(lease)))
    .map(
      ({ name, upstream, lease }) =>
        `${upstream} ${name} works (${lease?.state}, ${lease?.containment}, ${lease?.last_error})`,
    )
  const looked = ledger.minted.length
  return { name: 'P8: after a kill of all nothing works that can be ended early', looked, problems }
}
