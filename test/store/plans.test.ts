import { randomBytes } from 'node:crypto'
import Sqlite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/ids.ts'
import type { Task } from '../../src/model/task.ts'
import { openSqliteStore } from '../../src/store/sqlite/index.ts'
import type { NewSignal } from '../../src/store/store.ts'
import { MIGRATIONS } from '../fixture/empty-database.ts'
import { approvalRequest, decision, newTask, type Shed, shed } from './fixture.ts'

/** Everything the store does by itself or on the way of a request, once. */
async function useAll(one: Shed): Promise<void> {
  const { store } = one
  const now = one.clock.now()
  const task = await one.openTask({ heartbeatSeconds: 10 })
  const key = { key: 'k', requestHash: 'h' }
  const group = {
    group: 'g',
    groupCapacity: 5,
    groupShared: true,
    slots: ['a', 'b'],
    touches: { zones: [], datasets: [], impact: ['bulk-read'] as const },
    idempotency: key,
  }
  const lease = await one.active(task, group)
  const { id } = lease
  const renewal = { id, expiresAt: now, latestPossibleExpiry: now, decision: decision(now), now }
  await store.leases.beginRenewal(renewal)
  await store.leases.failRenewal(id, { error: 'x', outcome: 'refused', before: lease })
  await store.leases.beginRenewal({ ...renewal, decision: decision(now) })
  await store.leases.finishRenewal(id, one.facts(), now)
  await store.acts.permit({
    task: task.id,
    lease: id,
    within: [{ entitlement: 'e', provider: 'p', target: 't' }],
    touches: group.touches,
    decidedOn: [],
    limits: { highImpactPerHourPerAgent: 5 },
    decision: decision(now),
    now,
  })
  const lost = await one.reserved(task)
  await store.leases.unknownOutcome(lost.id, 'x', now)
  await store.leases.activate(lost.id, one.facts(), now)
  await store.leases.fail((await one.reserved(task)).id, 'x', now)
  await store.leases.expire({ latest: now, now, limit: 10 })
  await store.leases.nextExpiry()
  await store.leases.settleAfterRestart(now, 10)
  await store.leases.settleStranded(now, 10)
  await store.adoptUpstreams(new Map([['upstream', 'fake here']]), [])
  await store.abandonedUpstreams(new Map())
  await store.leases.activeClasses()
  await store.leases.activeOfClass('summariser', 'tickets-read')
  await store.leases.countActive({ task: task.id })
  await store.leases.countActive({ agent: 'summariser' })
  await store.leases.countActive({ entitlement: 'tickets-read' })
  await store.leases.endedOfTask(task.id, 0)
  await one.end(lease)
  await store.endings.due('upstream', now, 10)
  await store.endings.nextDue()
  await store.endings.stillRefused('g', [], now)
  const { handle } = await one.lease(id)
  const contained = { id, handle, exposedUntil: now, proof: undefined, nextDue: null, now }
  await store.endings.contained({ ...contained, containment: 'enforced' })
  await store.endings.postponed({ id, error: 'x', nextDue: now, counts: 'attempt', now })
  await store.endings.runningOut(now)
  await store.endings.runOut('upstream', now, 10)
  await store.endings.nextRunOut()
  for (const after of [undefined, [now, 1] as const]) {
    await store.drift.contained('upstream', now, { after, limit: 10 })
    await store.drift.active('upstream', { after, limit: 10 })
  }
  await store.drift.holders('upstream')
  await store.endings.owed()
  await store.tasks.spend({ id: 'proof', issuedAt: now, expiresAt: now + 1 }, now)
  await store.tasks.open(newTask(now, { proof: 'bound', key: 'jkt:x' }), {
    openTasksPerAgent: 10,
    evidence: undefined,
    instance: { name: 'pod', issuedAt: now, pinnedUntil: now + 1 },
    decision: decision(now),
  })
  await store.tasks.due(now, 10)
  await store.tasks.nextDue()
  await store.tasks.heartbeat(task.id, now)
  await store.tasks.forgiveSilence(now)
  await store.tasks.byToken('x')
  await delegateOnce(one, task)
  await store.tasks.countChildren(task.id)
  await approveOnce(one, task)
  await store.tasks.list({ tenants: null, parent: task.id }, { limit: 10, after: undefined })
  await store.tasks.list({ tenants: ['support'], tree: task.id }, { limit: 10, after: undefined })
  await one.kill({ task: task.id })
  await one.kill({ agent: 'summariser' })
  await one.kill({ provider: 'upstream' })
  await one.kill({ all: true })
  await one.advanceKills()
  await store.signals.receive(word(now, 'once'), [])
  await store.signals.receive({ ...word(now, 'again'), topic: 'account' }, [])
  await store.signals.risks(now)
  await store.kills.liveBlocks(now)
  const page = { limit: 10, after: undefined }
  for (const state of ['live', 'active', 'reserved', 'ending'] as const) {
    await store.leases.list({ tenants: null, state }, page)
    await store.leases.list({ tenants: null, state, agent: 'summariser' }, page)
  }
  await store.leases.list({ tenants: null, agent: 'summariser' }, page)
  await store.leases.list({ tenants: null, task: task.id }, page)
  await store.leases.list({ tenants: ['support'] }, page)
  await store.leases.list({ tenants: null }, page)
  await store.leases.list({ tenants: null }, { limit: 10, after: `${now}.lease_z` })
  await store.endings.list({ tenants: null }, page)
  await store.kills.list(page)
  await store.kills.list({ limit: 10, after: `${now}.kill_z` })
}

/** A task passes its work on, twice over, and what is below it gets and ends a lease. */
async function delegateOnce({ store, clock, ...one }: Shed, task: Task): Promise<void> {
  const now = clock.now()
  const made = { agent: 'executor', tenant: 'support', purpose: null, intent: [], createdAt: now }
  const created = await store.delegations.create(
    {
      ...made,
      id: newId('dlg', { random: randomBytes, clock }),
      task: task.id,
      expiresAt: now + 1,
      deadline: now + 60_000,
      tokenHash: 'd',
    },
    { delegationsPerTask: 10, decision: decision(now, { action: 'delegate' }) },
  )
  await store.delegations.byToken('d')
  if (!created.ok) throw new Error(created.why)
  const child = newTask(now, { agent: 'executor', deadline: now + 60_000 })
  const opened = await store.tasks.open(child, {
    openTasksPerAgent: 10,
    evidence: undefined,
    delegation: { id: created.delegation.id, tasksPerTree: 10 },
    decision: decision(now, { action: 'openTask' }),
  })
  if (!opened.ok) throw new Error(opened.why)
  await one.active(opened.task)
  await store.tasks.above(opened.task)
}

/** An approval is asked for, told of, granted and used, another one expires. */
async function approveOnce({ store, clock, ...one }: Shed, task: Task): Promise<void> {
  const now = clock.now()
  const page = { limit: 10, after: undefined }
  const asked = await one.reserve(task, { approval: approvalRequest(now) })
  if (asked.ok || asked.why !== 'approval') throw new Error('no approval was asked for')
  const { id, policyHash } = asked.approval
  await store.approvals.noticesDue(now, 10)
  await store.approvals.countPending(now)
  await store.approvals.noticed(id, null)
  const yes = { verdict: 'granted', actor: 'operator:boss', reason: null } as const
  await store.approvals.decide({ ...yes, id, expiresAt: now + 60_000, policyHash, now })
  await one.active(task, { approval: approvalRequest(now) })
  await store.approvals.expire({ latest: now, now, limit: 10 })
  await store.approvals.expireForeign({ policyHash: 'other', now, limit: 10 })
  await store.approvals.list({ tenants: ['support'], state: 'pending' }, page)
  await store.approvals.list({ tenants: null }, { limit: 10, after: `${now}.appr_z` })
}

/** What a source says of an agent. */
function word(now: number, messageId: string): NewSignal {
  const subject = { agent: 'summariser' }
  const about = {
    subject,
    effective: [subject],
    level: 'LOW',
    action: 'risk',
    reason: 'x',
  } as const
  const message = { source: 'idp', messageId, bodyHash: 'x', receivedAt: now, at: now }
  return { id: `sig_${messageId}`, ...message, ...about, expiresAt: null }
}

/** The statements a store compiles while `run` uses it, as SQLite gets them. */
async function statementsOf(run: (one: Shed) => Promise<void>): Promise<string[]> {
  const seen = new Set<string>()
  const { prepare } = Sqlite.prototype
  Sqlite.prototype.prepare = function (this: Sqlite.Database, source: string) {
    seen.add(source)
    return prepare.call(this, source)
  } as typeof prepare
  onTestFinished(() => {
    Sqlite.prototype.prepare = prepare
  })
  await run(shed())
  Sqlite.prototype.prepare = prepare
  return [...seen]
}

/** SQLite's plan of each statement over a database of this schema. */
function plansOf(statements: readonly string[]): { statement: string; plan: string[] }[] {
  const one = shed()
  void one.store.close()
  const sqlite = new Sqlite(one.path)
  onTestFinished(() => void sqlite.close())
  return statements
    .filter((statement) => /^\s*(select|update|delete|with)/i.test(statement))
    .map((statement) => {
      const explain = sqlite.prepare(`explain query plan ${statement}`)
      const marks = statement.split('?').length - 1
      const rows = explain.all(...Array.from({ length: marks }, () => null)) as { detail: string }[]
      return { statement, plan: rows.map((row) => row.detail) }
    })
}

describe('P14: no statement reads more than what it is about', () => {
  it('none walks all leases or tasks; each due list has its index', async () => {
    const plans = plansOf(await statementsOf(useAll))
    expect(plans.length).toBeGreaterThan(60)
    const scans = plans.filter(({ plan }) =>
      plan.some((line) =>
        /^SCAN (leases|tasks|decisions|delegations|approvals|t)\b(?!.*USING)/.test(line),
      ),
    )
    expect(scans).toEqual([])
  })

  it.each([
    ['what is due at a provider', /"due_at" <= \?.*order by "leases"\."due_at"/, 'leases_due'],
    ['what has expired', /"state" = 'active' and "leases"\."expires_at" <= \?/, 'leases_expiry'],
    [
      'what ran out',
      /"state" = 'ending' and "leases"\."latest_possible_expiry" <=/,
      'leases_running_out',
    ],
    ['what upstreams owe', /count.*"due_at" < "leases"\."latest_possible/, 'leases_owed'],
    [
      'what is unsettled',
      /^select .*"state" = 'reserved' or "leases"\."renewing" = 1/,
      'leases_unsettled',
    ],
    [
      'tasks past their deadline',
      /"state" = 'open' and "tasks"\."deadline" <= \?/,
      'tasks_deadline',
    ],
    ['silent tasks', /"heartbeat_due_at" <= \?/, 'tasks_heartbeat'],
    ['what a task delegated to', /"tasks"\."parent" = /, 'tasks_parent'],
    ['a tree', /^select .* from "tasks" where .*with recursive tree/s, 'tasks_parent'],
    ['who is below an agent', /with recursive below/, 'tasks_agent_open (agent=?)'],
    [
      'what a kill of an agent names',
      /^select count.*from "leases".*recursive below/s,
      'leases_agent (agent=?)',
    ],
    ['kills by their time', /from "kills".*order by "kills"."created_at"/, 'kills_created'],
    ['a delegation by its token', /"delegations"\."token_hash" = \?/, 'delegations_token'],
    ['what a task delegated', /count.*"delegations"\."task" = \?/, 'delegations_task'],
    ['approvals of a task', /"approvals"\."agent" = \? and .*"task" = \?/, 'approvals_open'],
    ['what an agent has pending', /count.*"approvals"\."agent" = \?/, 'approvals_open'],
    ['when an agent was denied', /"approvals"\."entitlement" = \?/, 'approvals_denied'],
    ['what an agent asked this hour', /"approvals"."created_at" > \?/, 'approvals_created'],
    ['what can be decided', /count.*"approvals"."expires_at" > \?/, 'approvals_'],
    ['approvals past their time', /"approvals"\."expires_at" <= \?/, 'approvals_expiry'],
    ['whom to tell', /"approvals"\."notice_due_at" <= \?/, 'approvals_notice'],
    ['whether a later event is known', /"signals"."event_at" >= \?/, 'signals_topic'],
    ['what a signal replaces', /"subject_json" = \? .*"superseded_at" is null/, 'signals_topic'],
    ['retries of a key', /"idempotency_key" = \?/, 'leases_idempotency'],
    ['the pace of an agent', /"impact_json" is not null/, 'leases_high_impact'],
    ['acts of an agent', /"impact_acts"\."agent" = \?/, 'impact_acts_agent'],
    ['a shared document', /"group_key" = \? and .*"latest_possible_expiry" > \?/, 'leases_group'],
    [
      'what lives in a group',
      /"group_key" = \? and .*'active'.*"tenant" = \?/,
      'leases_group_live',
    ],
  ])('%s is found by its index', async (_what, statement, index) => {
    const plans = plansOf(await statementsOf(useAll)).filter((one) => statement.test(one.statement))
    expect(plans.length).toBeGreaterThan(0)
    for (const { plan, statement: text } of plans) {
      expect(`${plan.join('; ')} ← ${text}`).toContain(`INDEX ${index}`)
    }
  })
})

describe('P14: a start', () => {
  it('knows the providers of what is live without reading all of it', async () => {
    const one = shed()
    const task = await one.openTask()
    for (const provider of ['vault', 'aws', 'aws', 'gcp']) await one.active(task, { provider })
    const failed = await one.reserved(task, { provider: 'gone' })
    await one.store.leases.fail(failed.id, 'x', one.clock.now())
    const abandoned = await one.store.abandonedUpstreams(new Map())
    expect(abandoned.map(({ provider, live }) => [provider, live])).toEqual([
      ['aws', 2],
      ['gcp', 1],
      ['vault', 1],
    ])
  })

  it('takes as long over 50,000 live leases as over none', async () => {
    const [empty, full] = [shed(), shed()]
    const task = await full.openTask()
    await full.active(task)
    await full.behind((sqlite) => {
      const columns = sqlite.prepare('select * from leases limit 1').columns()
      const names = columns
        .map((column) => column.name)
        .filter((name) => !['id', 'upstream_name'].includes(name))
      sqlite.exec(`
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 50000)
        insert into leases (id, upstream_name, ${names.join(', ')})
        select 'lease_' || i, 'mf-' || i, ${names.join(', ')} from n, leases where leases.rowid = 1`)
    })
    await empty.store.close()
    await full.store.close()
    const start = async (one: Shed) => {
      const began = performance.now()
      const { store, clock } = openSqliteStore({
        path: one.path,
        keysDir: one.keysDir,
        migrations: MIGRATIONS,
        clockSource: one.time,
      })
      const now = clock.now()
      await store.leases.settleAfterRestart(now, 200)
      await store.leases.settleStranded(now, 200)
      await store.leases.expire({ latest: now, now, limit: 200 })
      await store.endings.runOut('upstream', now, 200)
      await store.tasks.due(now, 100)
      await store.endings.nextDue()
      const took = performance.now() - began
      expect(await store.leases.countActive({ task: task.id })).toBe(one === full ? 50_001 : 0)
      await store.close()
      return took
    }
    const median = async (one: Shed) => {
      const times: number[] = []
      for (let n = 0; n < 7; n += 1) times.push(await start(one))
      return times.toSorted((a, b) => a - b)[3] ?? 0
    }
    const [without, with50k] = [await median(empty), await median(full)]
    expect(with50k).toBeLessThan(without * 3 + 15)
    Object.assign(empty, { store: { close: async () => {} } })
    Object.assign(full, { store: { close: async () => {} } })
  })
})
