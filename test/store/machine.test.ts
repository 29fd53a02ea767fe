import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { LeaseId } from '../../src/ids.ts'
import { LEASE_TRANSITIONS, type Lease, type LeaseState } from '../../src/model/lease.ts'
import { MINT_DEADLINE_MS } from '../../src/model/lifetime.ts'
import type { Task } from '../../src/model/task.ts'
import type { Exposure } from '../../src/store/store.ts'
import { decision, type Shed, shed } from './fixture.ts'

const ARROWS = new Set<string>(
  Object.values(LEASE_TRANSITIONS).flatMap(({ from, to }) => from.map((state) => `${state}→${to}`)),
)
const SLOTS = ['a', 'b']

/** What the test itself knows of a lease: what the upstream was told and what it was seen to do. */
interface Known {
  readonly id: LeaseId
  readonly place: string | null
  state: LeaseState
  /** Landed at the upstream and not told to refuse since. */
  alive: boolean
  diesAt: number
  askedAt: number
  /** Something may still land: the mint of a reservation, or a renewal under way. */
  mayLand: boolean
  /** What it was before the renewal that is under way. */
  before: Exposure
  landings: number
}

type Step =
  | { do: 'reserve'; slot: boolean; key: number | undefined }
  | { do: 'activate' | 'fail' | 'unknown' | 'end' | 'begin' | 'finish' | 'give-up'; at: number }
  | { do: 'enforced' | 'proved' | 'postpone' | 'release'; at: number; stale: boolean }
  | { do: 'kill'; at: number; what: 'lease' | 'agent'; advance: boolean }
  | { do: 'pass'; ms: number }
  | { do: 'restart' }

/** Counted from the newest, and rarely far: most trouble is between moves of one lease. */
const at = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(3))
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('reserve' as const),
      slot: fc.boolean(),
      key: fc.option(fc.nat(1), { nil: undefined }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'activate' as const,
        'activate' as const,
        'fail' as const,
        'unknown' as const,
        'end' as const,
        'begin' as const,
        'finish' as const,
        'give-up' as const,
      ),
      at,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'enforced' as const,
        'proved' as const,
        'postpone' as const,
        'release' as const,
      ),
      at,
      stale: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('kill' as const),
      at,
      what: fc.constantFrom('lease' as const, 'agent' as const),
      advance: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 1_000, 100_000, 300_000, 350_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
)

/** One lease, made active, and then what may happen to it at once, in some order. */
const race: fc.Arbitrary<Step[]> = fc
  .record({
    slot: fc.boolean(),
    moves: fc.shuffledSubarray<Step>(
      [
        { do: 'begin', at: 0 },
        { do: 'end', at: 0 },
        { do: 'enforced', at: 0, stale: false },
        { do: 'finish', at: 0 },
        { do: 'proved', at: 0, stale: true },
        { do: 'proved', at: 0, stale: false },
        { do: 'give-up', at: 0 },
        { do: 'release', at: 0, stale: false },
        { do: 'kill', at: 0, what: 'lease', advance: true },
      ],
      { minLength: 4 },
    ),
  })
  .map(({ slot, moves }) => [
    { do: 'reserve', slot, key: undefined },
    { do: 'activate', at: 0 },
    ...moves,
  ])

const script = fc
  .array(
    fc.oneof({ weight: 6, arbitrary: step.map((one) => [one]) }, { weight: 1, arbitrary: race }),
    {
      minLength: 5,
      maxLength: 50,
    },
  )
  .map((parts) => parts.flat())

/** A store, the leases made in it so far, and an upstream of which the test knows the truth. */
class Run {
  readonly one: Shed
  readonly known: Known[] = []
  readonly #tasks: Task[]
  #handles = 0
  /** Attempts that were claimed earlier and answer late. */
  readonly #claimed = new Map<LeaseId, Lease>()

  constructor(one: Shed, tasks: Task[]) {
    this.one = one
    this.#tasks = tasks
  }

  async step(step: Step): Promise<void> {
    await this.#apply(step)
    await this.#check(step)
  }

  async #apply(step: Step): Promise<void> {
    const { one } = this
    const { leases, endings } = one.store
    const now = one.clock.now()
    if (step.do === 'reserve') return await this.#reserve(step)
    if (step.do === 'pass') {
      await one.time.advance(step.ms)
      await leases.expire({ latest: one.clock.now(), now: one.clock.now(), limit: 100 })
      await endings.runOut('upstream', one.clock.now(), 100)
      return
    }
    if (step.do === 'restart') {
      await one.restart()
      await one.store.leases.settleAfterRestart(now, 100)
      this.#claimed.clear()
      // What was asked of the upstream lands there, and nobody hears of it.
      for (const lease of this.known.filter(({ mayLand }) => mayLand)) {
        lease.mayLand = false
        if (now - lease.askedAt <= MINT_DEADLINE_MS) this.#land(lease)
      }
      return
    }
    const lease = this.known.at(-1 - (step.at % Math.max(1, this.known.length)))
    if (!lease) return
    const { id } = lease
    switch (step.do) {
      case 'activate':
      case 'finish': {
        // One answer for each call: a mint's, then one for each renewal begun.
        if (!lease.mayLand) return
        lease.mayLand = false
        lease.landings += 1
        this.#handles += 1
        const facts = one.facts({ handle: { accessor: this.#handles } })
        const renews = lease.landings > 1
        const answer = renews
          ? await leases.finishRenewal(id, facts, now)
          : await leases.activate(id, facts, now)
        this.#land(lease)
        const { state } = answer.lease
        expect(answer.ok).toBe(state === 'active')
        if (!answer.ok) expect(['ending', 'active']).toContain(state)
        return
      }
      case 'fail':
        if (!lease.mayLand || lease.landings > 0) return
        lease.mayLand = false
        return await leases.fail(id, 'refused', now)
      case 'unknown':
        if (!lease.mayLand || lease.landings > 0) return
        return await leases.unknownOutcome(id, 'no answer', now)
      case 'begin': {
        if (lease.mayLand) return
        const latestPossibleExpiry = now + 340_000
        const order = { id, expiresAt: now, latestPossibleExpiry, decision: decision(now), now }
        const begun = await leases.beginRenewal(order)
        if (!begun.ok) return
        Object.assign(lease, { mayLand: true, askedAt: now, before: begun.before })
        return
      }
      case 'give-up':
        if (!lease.mayLand || lease.landings === 0) return
        lease.mayLand = false
        return await leases.failRenewal(id, {
          error: 'refused',
          outcome: 'refused',
          before: lease.before,
        })
      case 'end':
        return await one.end(await one.lease(id))
      case 'enforced':
      case 'proved':
        return await this.#contain(lease, { proves: step.do === 'proved', stale: step.stale })
      case 'postpone':
        return await endings.postponed({ id, error: 'x', nextDue: now, counts: 'attempt', now })
      case 'release':
        return await this.#release(lease)
      case 'kill':
        await one.kill(step.what === 'lease' ? { lease: id } : { agent: 'summariser' })
        if (step.advance) await one.advanceKills()
    }
  }

  /** However late an answer comes, what it tells of was made within the deadline of the call. */
  #land(lease: Known): void {
    const now = this.one.clock.now()
    const diesAt = Math.min(now, lease.askedAt + MINT_DEADLINE_MS) + 300_000
    Object.assign(lease, { alive: diesAt > now, diesAt })
  }

  async #reserve({ slot, key }: Extract<Step, { do: 'reserve' }>): Promise<void> {
    await this.one.time.advance(1)
    const task = await this.#task()
    const idempotency = key === undefined ? undefined : { key: `k${key}`, requestHash: 'h' }
    const slots = slot ? SLOTS : undefined
    const result = await this.one.reserve(task, { slots, idempotency })
    if (!result.ok) return
    const { id, slot: place } = result.lease
    const before = this.known.filter((lease) => place !== null && lease.place === place)
    // Whoever held the place before must be dead: giving it back wakes what is left of them.
    for (const { diesAt } of before) expect(diesAt).toBeLessThanOrEqual(this.one.clock.now())
    const fresh = {
      state: 'reserved',
      alive: false,
      diesAt: 0,
      mayLand: true,
      before: { latestPossibleExpiry: 0, exposedUntil: 0 },
      landings: 0,
    } as const
    this.known.push({ id, place, ...fresh, askedAt: this.one.clock.now() })
  }

  /** Kills of the agent end tasks: there is always one that is open. */
  async #task(): Promise<Task> {
    const last = this.#tasks.at(-1)
    if (last && (await this.one.store.tasks.byId(last.id))?.state === 'open') return last
    const task = await this.one.openTask({ deadline: this.one.clock.now() + 1e12 })
    this.#tasks.push(task)
    return task
  }

  /** The upstream refuses what it knows by the handle of the attempt, now or when it was claimed. */
  async #contain(lease: Known, step: { proves: boolean; stale: boolean }): Promise<void> {
    const now = this.one.clock.now()
    const row = await this.one.lease(lease.id)
    if (row.state !== 'ending') return
    const claimed = (step.stale && this.#claimed.get(lease.id)) || row
    this.#claimed.set(lease.id, row)
    const sameHandle = JSON.stringify(claimed.handle) === JSON.stringify(row.handle)
    if (sameHandle) lease.alive = false
    const proves = step.proves && claimed.handle !== null
    await this.one.store.endings.contained({
      id: lease.id,
      handle: claimed.handle,
      containment: proves ? 'proved' : 'enforced',
      exposedUntil: proves ? now : claimed.exposedUntil,
      proof: proves ? { method: 'lookup', at: now } : undefined,
      nextDue: null,
      now,
    })
  }

  async #release(lease: Known): Promise<void> {
    const row = await this.one.lease(lease.id)
    const now = this.one.clock.now()
    // As the clean-up does: only what is due, and a place in a pool only after its last token.
    if (row.lane !== 'cleanup' || (row.dueAt ?? Number.POSITIVE_INFINITY) > now) return
    if (row.slot !== null && row.latestPossibleExpiry > now) return
    await this.one.store.endings.released(lease.id, now)
  }

  async #check(step: Step): Promise<void> {
    const now = this.one.clock.now()
    const held = new Map<string, LeaseId>()
    for (const lease of this.known) {
      const row = await this.one.lease(lease.id)
      const move = `${lease.state}→${row.state}`
      if (lease.state !== row.state && !ARROWS.has(move)) {
        // A pass or a restart may make two moves at once.
        const through = [...ARROWS].filter((arrow) => arrow.startsWith(`${lease.state}→`))
        const twice = through.some((arrow) => ARROWS.has(`${arrow.split('→')[1]}→${row.state}`))
        expect([move, step.do, twice]).toEqual([move, 'pass', true])
      }
      lease.state = row.state
      if (lease.diesAt <= now) lease.alive = false
      if (row.state === 'failed' || row.containment === 'proved') {
        expect([step, row.state, lease.alive]).toEqual([step, row.state, false])
      }
      if (row.state === 'ended') {
        expect(['proved', 'expired']).toContain(row.containment)
        expect(lease.alive).toBe(false)
        expect(row.endedAt).not.toBeNull()
      } else if (row.state !== 'failed') expect(row.endedAt).toBeNull()
      if (row.containment === 'proved') {
        expect(row.state).toBe('ended')
        expect(lease.mayLand).toBe(false)
      }
      if (row.state === 'ending') expect(row.lane).not.toBe('cleanup')
      if (row.state === 'ending' && row.containment !== 'enforced') expect(row.dueAt).not.toBeNull()
      if (lease.alive) expect(row.exposedUntil).toBeGreaterThan(now)
      if (row.slot !== null) {
        expect(held.get(row.slot)).toBeUndefined()
        held.set(row.slot, lease.id)
      }
    }
  }
}

it('P6: whatever happens in whatever order, a lease makes only drawn moves and never claims more than is known', async () => {
  await fc.assert(
    fc.asyncProperty(script, async (steps) => {
      const one = shed()
      const run = new Run(one, [])
      for (const one of steps) await run.step(one)
      // Whatever is left is over when time has passed: nothing is given up, nothing stuck.
      await one.store.leases.settleAfterRestart(one.clock.now(), 1_000)
      await one.advanceKills()
      for (let n = 0; n < 3; n += 1) await run.step({ do: 'pass', ms: 350_000 })
      for (const { id } of run.known) {
        expect(['ended', 'failed']).toContain((await one.lease(id)).state)
      }
      await one.store.close()
    }),
    { numRuns: 100 },
  )
}, 60_000)
