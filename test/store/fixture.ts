/**
 * A real store over real SQLite in a directory of its own, with time that passes only by hand.
 * One task and one reservation to start from; a test changes the one field it is about.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import type { SureClock } from '../../src/clock.ts'
import { type LeaseId, newId, upstreamName } from '../../src/ids.ts'
import type { Lease } from '../../src/model/lease.ts'
import type { Selector } from '../../src/model/selector.ts'
import type { Task } from '../../src/model/task.ts'
import { openSqliteStore } from '../../src/store/sqlite/index.ts'
import type {
  ApprovalRequest,
  Kill,
  KillOrder,
  MintFacts,
  NewDecision,
  NewTask,
  Reservation,
  ReserveResult,
  Store,
} from '../../src/store/store.ts'
import { MIGRATIONS, putEmptyDatabase } from '../fixture/empty-database.ts'
import { idSource } from '../fixture/ids.ts'
import { ManualTime } from '../fixture/time.ts'

/** Room enough that no cap stands in a test's way. */
export const LIMITS = {
  activeLeasesPerTask: 100_000,
  activeLeasesPerAgent: 100_000,
  highImpactPerHourPerAgent: 100_000,
}

export interface Shed {
  store: Store
  clock: SureClock
  readonly time: ManualTime
  readonly dir: string
  readonly path: string
  readonly keysDir: string
  /** Closes the store and opens it again, as after a clean stop. */
  restart(): Promise<void>
  /** Reads or damages rows behind the store's back: closes it, runs `work`, opens it again. */
  behind<R>(work: (sqlite: Sqlite.Database) => R): Promise<R>
  openTask(change?: Partial<NewTask>): Promise<Task>
  reserve(task: Task, change?: Partial<Reservation>): Promise<ReserveResult>
  /** A reserved lease; throws if it was refused. */
  reserved(task: Task, change?: Partial<Reservation>): Promise<Lease>
  /** An active lease of the default ttl. */
  active(task: Task, change?: Partial<Reservation>): Promise<Lease>
  facts(change?: Partial<MintFacts>): MintFacts
  kill(selector: Selector, change?: Partial<KillOrder>): Promise<Kill>
  advanceKills(): Promise<void>
  end(lease: Lease): Promise<void>
  lease(id: LeaseId): Promise<Lease>
  types(lease: LeaseId): Promise<string[]>
}

export function shed(options: { dir?: string; time?: ManualTime } = {}): Shed {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'mayfly-store-'))
  const time = options.time ?? new ManualTime()
  const path = join(dir, 'data', 'mayfly.db')
  const keysDir = join(dir, 'keys')
  putEmptyDatabase(path)
  const open = () => openSqliteStore({ path, keysDir, migrations: MIGRATIONS, clockSource: time })
  const self: Shed = {
    ...open(),
    time,
    dir,
    path,
    keysDir,
    async restart() {
      await self.store.close()
      Object.assign(self, open())
    },
    async behind(work) {
      await self.store.close()
      const sqlite = new Sqlite(path)
      try {
        return work(sqlite)
      } finally {
        sqlite.close()
        Object.assign(self, open())
      }
    },
    async openTask(change = {}) {
      const task = newTask(self.clock.now(), change)
      const against = {
        openTasksPerAgent: 100_000,
        evidence: undefined,
        decision: decision(self.clock.now(), { action: 'openTask', agent: task.agent }),
      }
      const opened = await self.store.tasks.open(task, against)
      if (!opened.ok) throw new Error(`not opened: ${opened.why}`)
      return opened.task
    },
    reserve: (task, change = {}) =>
      self.store.leases.reserve(reservation(task, self.clock.now(), change)),
    async reserved(task, change) {
      const result = await self.reserve(task, change)
      if (!result.ok) throw new Error(`not reserved: ${result.why}`)
      return result.lease
    },
    async active(task, change) {
      const lease = await self.reserved(task, change)
      const facts = self.facts({ expiresAt: lease.expiresAt })
      const activated = await self.store.leases.activate(lease.id, facts, self.clock.now())
      if (!activated.ok) throw new Error(`not activated: ${activated.lease.state}`)
      return activated.lease
    },
    facts(change = {}) {
      const now = self.clock.now()
      return {
        expiresAt: now + 300_000,
        nativeExpiresAt: now + 300_000,
        latestPossibleExpiry: now + 330_000,
        handle: { accessor: 'first' },
        ...change,
      }
    },
    kill: (selector, change = {}) =>
      self.store.kills.order({
        id: newId('kill', idSource),
        selector,
        tenants: null,
        reason: 'test',
        actor: 'operator:on-call',
        cause: 'killed',
        endsTasks: true,
        lane: 'kill',
        block: undefined,
        now: self.clock.now(),
        ...change,
      }),
    async advanceKills() {
      while ((await self.store.kills.advance(self.clock.now(), 200)).more);
    },
    async end({ id }) {
      const now = self.clock.now()
      await self.store.leases.end({ id, cause: 'ended', lane: 'end', actor: 'mayfly', now })
    },
    async lease(id) {
      const lease = await self.store.leases.byId(id)
      if (!lease) throw new Error(`no lease ${id}`)
      return lease
    },
    async types(lease) {
      return (await self.store.audit.read(0, 100_000, { lease })).map((event) => event.type)
    },
  }
  onTestFinished(async () => {
    await self.store.close()
    if (!options.dir) rmSync(dir, { recursive: true, force: true })
  })
  return self
}

export function newTask(now: number, change: Partial<NewTask> = {}): NewTask {
  return {
    id: newId('task', idSource),
    agent: 'summariser',
    tenant: 'support',
    workload: 'corp/robot',
    issuer: 'corp',
    proof: 'bearer',
    key: null,
    claims: {},
    purpose: 'summarise tickets',
    intent: [],
    labels: {},
    createdAt: now,
    deadline: now + 3_600_000,
    heartbeatSeconds: null,
    tokenHash: randomBytes(32).toString('hex'),
    ...change,
  }
}

export function decision(at: number, change: Partial<NewDecision> = {}): NewDecision {
  return {
    id: newId('dec', idSource),
    at,
    action: 'requestCredential',
    outcome: 'permit',
    agent: 'summariser',
    tenant: 'support',
    workload: 'corp/robot',
    task: null,
    entitlement: null,
    policies: ['p0'],
    rails: [],
    reasons: [],
    policyHash: 'f00d',
    request: {},
    ...change,
  }
}

export function reservation(
  task: Task,
  now: number,
  change: Partial<Reservation> = {},
): Reservation {
  const id = change.id ?? newId('lease', idSource)
  return {
    id,
    upstreamName: upstreamName(id),
    task: task.id,
    entitlement: 'tickets-read',
    provider: 'upstream',
    upstream: 'fake here',
    target: 'tickets',
    targetSpec: { account: 'tickets' },
    group: null,
    intent: [],
    ttlSeconds: 300,
    nativeFloorSeconds: 1,
    now,
    expiresAt: now + 300_000,
    latestPossibleExpiry: now + 340_000,
    scope: { allow: [] },
    residuals: [],
    revocability: 'immediate',
    slots: undefined,
    groupCapacity: undefined,
    groupShared: false,
    acceptsExpiry: false,
    idempotency: undefined,
    touches: { zones: [], datasets: [], impact: [] },
    decidedOn: [],
    limits: LIMITS,
    decision: decision(now, {
      task: task.id,
      agent: task.agent,
      tenant: task.tenant,
      entitlement: 'tickets-read',
    }),
    ...change,
  }
}

export function approvalRequest(
  now: number,
  change: Partial<ApprovalRequest> = {},
): ApprovalRequest {
  return {
    id: newId('appr', idSource),
    grant: 'a'.repeat(64),
    shown: {
      purpose: 'delete tickets',
      intent: [],
      scope: { allow: [] },
      zone: 'internal',
      datasets: [],
      impact: ['destructive-write'],
      residuals: [],
      revocability: 'immediate',
      risk: { level: 'LOW', reasons: [] },
      policies: ['p0'],
    },
    ttlSeconds: 300,
    expiresAt: now + 900_000,
    pendingPerAgent: 5,
    perHourPerAgent: 20,
    coolDownSeconds: 600,
    notice: true,
    ...change,
  }
}

/** The events of the whole chain, in order. */
export async function chain(store: Store) {
  return await store.audit.read(0, 1_000_000)
}
