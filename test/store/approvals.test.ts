import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { AuditEvent } from '../../src/audit/events.ts'
import type { ApprovalId } from '../../src/ids.ts'
import type { Task } from '../../src/model/task.ts'
import { approvalRequest, chain, reservation, type Shed, shed } from './fixture.ts'

type Step =
  | { do: 'ask'; task: number; grant: number }
  | { do: 'ask-twice' | 'agree'; task: number; grant: number }
  | { do: 'yes' | 'no'; at: number }
  | { do: 'yes-and-kill'; at: number; killFirst: boolean }
  | { do: 'kill'; what: 'task' | 'agent' | 'entitlement' | 'elsewhere' }
  | { do: 'end'; task: number }
  | { do: 'pass'; ms: number }
  | { do: 'sweep' | 'restart' | 'reload' }

const index = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('ask' as const, 'agree' as const, 'ask-twice' as const),
      task: index,
      grant: index,
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('yes', 'yes', 'no'), at: index }) },
  fc.record({ do: fc.constant('yes-and-kill' as const), at: index, killFirst: fc.boolean() }),
  fc.record({
    do: fc.constant('kill' as const),
    what: fc.constantFrom('task', 'agent', 'entitlement', 'elsewhere'),
  }),
  fc.record({ do: fc.constant('end' as const), task: index }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(500_000) }) },
  fc.record({ do: fc.constantFrom('sweep' as const, 'restart' as const, 'reload' as const) }),
) as fc.Arbitrary<Step> // the literal types that `constantFrom` widens

const UNUSED_MS = 300_000

/** What is done to approvals and what the audit log says of it, over one store. */
class Play {
  readonly house: Shed = shed()
  readonly known: ApprovalId[] = []
  tasks: Task[] = []
  policyHash = 'f00d'

  async begin(): Promise<void> {
    this.tasks = [await this.house.openTask(), await this.house.openTask()]
  }

  async run(one: Step): Promise<void> {
    const { store, clock } = this.house
    const now = clock.now()
    switch (one.do) {
      case 'ask':
        return await this.ask(one)
      case 'ask-twice':
        return void (await Promise.all([this.ask(one), this.ask(one)]))
      case 'agree':
        await this.ask(one)
        return await this.decide(0, 'yes')
      case 'yes':
      case 'no':
        return await this.decide(one.at, one.do)
      case 'yes-and-kill': {
        const both = [() => this.decide(one.at, 'yes'), () => this.kill('agent')]
        if (one.killFirst) both.reverse()
        return void (await Promise.all(both.map((act) => act())))
      }
      case 'kill':
        return await this.kill(one.what)
      case 'end': {
        const { id = 'task_none' } = this.tasks[one.task] ?? {}
        const order = { id, cause: 'ended', outcome: null, actor: 'mayfly', now } as const
        await store.tasks.end(order)
        this.tasks[one.task] = await this.house.openTask()
        return
      }
      case 'pass':
        return await this.house.time.advance(one.ms)
      case 'sweep': {
        await store.approvals.expire({ latest: clock.latest(), now, limit: 100 })
        const { policyHash } = this
        return void (await store.approvals.expireForeign({ policyHash, now, limit: 100 }))
      }
      case 'restart':
        return await this.house.restart()
      case 'reload':
        this.policyHash = this.policyHash === 'f00d' ? 'cafe' : 'f00d'
    }
  }

  async ask({ task: at, grant }: { task: number; grant: number }): Promise<void> {
    const task = this.tasks[at]
    if (!task) return
    const { policyHash } = this
    const now = this.house.clock.now()
    const approval = approvalRequest(now, { grant: `${grant}${policyHash}`, coolDownSeconds: 60 })
    const { decision } = reservation(task, now)
    const asked = { approval, decision: { ...decision, policyHash } }
    const result = await this.house.reserve(task, asked)
    if (!result.ok && result.why === 'approval' && result.approval.id === approval.id) {
      this.known.push(approval.id)
    }
  }

  async decide(at: number, verdict: 'yes' | 'no'): Promise<void> {
    const id = this.known.at(-1 - at)
    if (id === undefined) return
    const now = this.house.clock.now()
    await this.house.store.approvals.decide({
      id,
      verdict: verdict === 'yes' ? 'granted' : 'denied',
      actor: 'operator:boss',
      reason: null,
      expiresAt: now + UNUSED_MS,
      policyHash: this.policyHash,
      now,
    })
  }

  async kill(what: 'task' | 'agent' | 'entitlement' | 'elsewhere'): Promise<void> {
    const selector = {
      task: { task: this.tasks[0]?.id ?? '' },
      agent: { agent: 'summariser' },
      entitlement: { entitlement: 'tickets-read' },
      elsewhere: { tenant: 'billing' },
    }[what]
    await this.house.kill(selector, { endsTasks: false })
  }
}

const NEXT: Record<string, readonly string[]> = {
  'approval.requested': ['approval.granted', 'approval.denied', 'approval.expired'],
  'approval.granted': ['approval.consumed', 'approval.denied', 'approval.expired'],
  'approval.denied': [],
  'approval.expired': [],
  'approval.consumed': [],
}

/** One life, in time, for one lease, with no kill of its subject between the yes and its use. */
function checkLife(events: readonly AuditEvent[], all: readonly AuditEvent[]): void {
  for (const [at, event] of events.entries()) {
    const next = events[at + 1]
    if (!next) continue
    expect(NEXT[event.type], `${event.type} → ${next.type}`).toContain(next.type)
    const took = Date.parse(next.at) - Date.parse(event.at)
    if (next.type === 'approval.granted') expect(took).toBeLessThan(900_000)
    if (next.type !== 'approval.consumed') continue
    expect(took).toBeLessThan(UNUSED_MS)
    const kills = all.filter(
      ({ type, seq, data }) =>
        type === 'kill.ordered' &&
        seq > event.seq &&
        seq < next.seq &&
        /tickets-read|summariser/.test(JSON.stringify(data.selector)),
    )
    expect(kills).toEqual([])
  }
}

it('P4: whatever happens, each yes comes to one lease at most, in time and to nobody who was stopped', async () => {
  let issued = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const play = new Play()
      await play.begin()
      for (const one of steps) await play.run(one)
      const all = await chain(play.house.store)
      const lives = Map.groupBy(
        all.filter(({ type }) => type.startsWith('approval.')),
        ({ data }) => String(data.approval),
      )
      for (const events of lives.values()) checkLife(events, all)
      const page = { limit: 500, after: undefined }
      const leases = await play.house.store.leases.list({ tenants: null }, page)
      const used = leases.map(({ approval }) => approval)
      expect(new Set(used).size).toBe(used.length)
      issued += used.length
      for (const { id, approval } of leases) {
        const stored = await play.house.store.approvals.byId(approval ?? 'appr_none')
        expect(stored).toMatchObject({ state: 'consumed', lease: id })
      }
      for (const id of play.known) {
        const stored = await play.house.store.approvals.byId(id)
        const last = lives.get(id)?.at(-1)?.type.slice('approval.'.length)
        expect(stored?.state).toBe(last === 'requested' ? 'pending' : last)
      }
      await play.house.store.close()
    }),
    { numRuns: 80 },
  )
  expect(issued).toBeGreaterThan(0)
}, 60_000)
