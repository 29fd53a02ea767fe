/**
 * The contract every provider keeps, run against the upstream its `setup` starts. A provider's own
 * test file calls `providerContract('vault', setup)` once for each kind of target it offers.
 *
 * Each test starts a fresh upstream through `setup()` and closes it. Only the definition, the
 * sandbox's ledger and the upstream itself are asked: nothing here knows which provider it is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { describe, expect, it, type TestContext } from 'vitest'
import { type Clock, steadyClock } from '../src/clock.ts'
import { newId, upstreamName } from '../src/ids.ts'
import type { IntentItem } from '../src/model/intent.ts'
import {
  type AnyProviderDefinition,
  type Description,
  type EndOrder,
  type EndOutcome,
  type Minted,
  type MintOrder,
  type Provider,
  UpstreamError,
} from '../src/provider.ts'
import { Secret } from '../src/secret.ts'
import { idSource } from './fixture/ids.ts'
import { writerOf } from './fixture/writer.ts'
import type { Fault, Faults } from './sandbox/faults.ts'
import type { Ledger } from './sandbox/ledger.ts'

/** What a provider's test says about itself and its upstream. */
export interface ContractSetup {
  readonly definition: AnyProviderDefinition
  /** As it stands in `mayfly.yaml`. */
  readonly settings: unknown
  /** What the references inside the settings (`env:NAME`, `file:PATH`) resolve to. */
  readonly secrets?: Readonly<Record<string, string>>
  /** As it stands in an entitlement; a pool needs at least three free slots. */
  readonly target: unknown
  /** What the lease may do; `describe` must accept it. */
  readonly intent: readonly IntentItem[]
  /** Intents that the upstream cannot express exactly, or must not have; each must be refused. */
  readonly inexpressible: readonly {
    readonly why: string
    readonly intent: readonly IntentItem[]
  }[]
  readonly ttlSeconds: number
  /** Does, with the credential alone, something the intent allows: true if the upstream did it. */
  useInside(minted: Minted): Promise<boolean>
  /** The same for something just outside the intent. */
  useOutside(minted: Minted): Promise<boolean>
  readonly ledger: Ledger
  readonly faults: Faults
  /** The sandbox operation whose answer carries the secret, as `Faults.plan` names it. */
  readonly mintOperation: string
  /** An answer that proves nothing was minted, and the operation that gives it if another one. */
  readonly refusal: Fault
  readonly refusalOperation?: string
  /** The sandbox operations that end a lease. */
  readonly endOperations: readonly string[]
  /** The deadline of one mint or end; how long a hanging upstream is borne. Default 700 ms. */
  readonly deadlineMs?: number
  /** Whether `inventory` sees what was minted (the default) or only what was ended. */
  readonly inventorySees?: 'minted' | 'ended'
  /** Waits until an accepted end has had time to bite (propagation, queues). */
  settle(): Promise<void>
  /** More secret texts that no message may contain: the broker's own tokens and keys. */
  readonly ownSecrets?: readonly string[]
  close(): Promise<void>
}

/** Runs the contract. Titles carry the promise they defend. */
export function providerContract(name: string, setup: () => Promise<ContractSetup>): void {
  describe(`${name} keeps the provider contract`, () => {
    it('P4: a credential works for what was asked and is refused outside it', async () => {
      await using bench = await start(setup)
      const minted = await bench.mint()
      expect(await bench.setup.useInside(minted)).toBe(true)
      expect(await bench.setup.useOutside(minted)).toBe(false)
    })

    it('P4: describes what it was asked for, and refuses what it cannot express exactly', async () => {
      await using bench = await start(setup)
      expect(bench.description.target).not.toBe('')
      for (const { why, intent } of bench.setup.inexpressible) {
        const answer = bench.describe(intent)
        expect(answer, why).toHaveProperty('refused')
        expect(String(Object.values(answer)[0]).length, why).toBeGreaterThan(10)
      }
    })

    it('P5: what the client is told is never later than the order allows', async () => {
      await using bench = await start(setup)
      const order = bench.order()
      const minted = await bench.provider.mint(order)
      expect(minted.expiresAt).toBeLessThanOrEqual(order.notAfter)
      expect(minted.nativeExpiresAt).toBeGreaterThanOrEqual(minted.expiresAt)
      if (minted.upstreamTime !== undefined) {
        expect(Math.abs(minted.upstreamTime - Date.now())).toBeLessThan(5_000)
      }
    })

    it('P1: the upstream knows the credential by the lease’s upstream name', async () => {
      await using bench = await start(setup)
      await bench.mint()
      expect(bench.setup.ledger.minted.map((record) => record.name)).toContain(bench.name)
    })

    it('P2: a handle holds no secret and survives being stored as JSON', async () => {
      await using bench = await start(setup)
      const minted = await bench.mint()
      expect(JSON.parse(JSON.stringify(minted.handle))).toEqual(minted.handle)
      bench.expectNoSecretIn(minted.handle)
      bench.expectNoSecretIn(JSON.stringify(minted))
      bench.expectNoSecretIn(bench.logged)
    })

    it('P6: an ended credential is refused', async (context) => {
      await using bench = await start(setup)
      bench.needsRevoke(context)
      const minted = await bench.mint()
      const outcome = await bench.end(minted)
      expect(outcome).toMatchObject({ ok: true })
      await bench.setup.settle()
      expect(await bench.setup.useInside(minted)).toBe(false)
      expect(bench.stillWorking()).toEqual([])
    })

    it('P6: ending one lease leaves the others alone', async (context) => {
      await using bench = await start(setup)
      bench.needsRevoke(context)
      const ended = await bench.mint()
      const other = await bench.provider.mint(bench.order('other'))
      await bench.end(ended)
      await bench.setup.settle()
      expect(await bench.setup.useInside(other)).toBe(true)
    })

    it('P6: ending twice, and ending what never was, succeed', async (context) => {
      await using bench = await start(setup)
      bench.needsRevoke(context)
      const minted = await bench.mint()
      expect(await bench.end(minted)).toMatchObject({ ok: true })
      expect(await bench.end(minted)).toMatchObject({ ok: true })
      const never = bench.order('never-minted')
      expect(await bench.endOrder(bench.endOf(never, null))).toMatchObject({ ok: true })
    })

    it('P6: a claim of proof comes with how and when it was seen', async (context) => {
      await using bench = await start(setup)
      bench.needsRevoke(context)
      const minted = await bench.mint()
      await bench.end(minted)
      await bench.setup.settle()
      const outcome = await bench.end(minted)
      if (outcome.ok && outcome.containment === 'proved') {
        expect(outcome.proof?.method).toBeTruthy()
        expect(outcome.proof?.at).toBeLessThanOrEqual(Date.now())
      }
      if (!bench.provider.prove) return
      const [proof] = await bench.provider.prove([bench.endOf(bench.firstOrder, minted)])
      expect(proof?.lease).toBe(bench.firstOrder.lease)
    })

    it('P6: an end the upstream only pretended is never called proved', async (context) => {
      await using bench = await start(setup)
      bench.needsRevoke(context)
      const minted = await bench.mint()
      for (const operation of bench.setup.endOperations) {
        bench.setup.faults.plan(operation, { kind: 'lie' })
      }
      const outcome = await bench.end(minted)
      if (outcome.ok) expect(outcome.containment).not.toBe('proved')
    })

    it('P6: an end that failed says so, and succeeds when tried again', async (context) => {
      await using bench = await start(setup)
      bench.needsRevoke(context)
      const minted = await bench.mint()
      for (const operation of bench.setup.endOperations) {
        bench.setup.faults.plan(operation, { kind: 'fail', status: 500 })
      }
      const failed = await bench.endOrFailure(minted)
      expect(failed).toMatchObject({ ok: false })
      bench.expectNoSecretIn(failed, minted)
      bench.setup.faults.clear()
      expect(await bench.end(minted)).toMatchObject({ ok: true })
      await bench.setup.settle()
      expect(bench.stillWorking()).toEqual([])
    })

    it('P6: a hanging upstream does not hold an end for ever', async (context) => {
      await using bench = await start(setup)
      bench.needsRevoke(context)
      const minted = await bench.mint()
      for (const operation of bench.setup.endOperations) {
        bench.setup.faults.plan(operation, { kind: 'hang' })
      }
      const started = Date.now()
      expect(await bench.endOrFailure(minted)).toMatchObject({ ok: false })
      expect(Date.now() - started).toBeLessThan(bench.deadlineMs + 3_000)
    })

    it('P1: a refusal that proves nothing was minted is told apart', async () => {
      await using bench = await start(setup)
      const { mintOperation, refusalOperation = mintOperation, refusal } = bench.setup
      bench.setup.faults.plan(refusalOperation, refusal)
      const error = await bench.mintFailure()
      expect(error.outcome).toBe('refused')
      expect(bench.setup.ledger.minted.filter((r) => r.name === bench.name && r.works())).toEqual(
        [],
      )
    })

    for (const fault of UNKNOWN_OUTCOMES) {
      const trouble = fault.kind === 'fail' ? `status ${fault.status}` : fault.kind
      it(`P1: a mint under "${trouble}" is an unknown outcome, and can be ended by name`, async (context) => {
        await using bench = await start(setup)
        bench.setup.faults.plan(bench.setup.mintOperation, fault, 1)
        const error = await bench.mintFailure()
        expect(error.outcome).toBe('unknown')
        bench.needsRevoke(context)
        expect(await bench.endOrder(bench.endOf(bench.firstOrder, null))).toMatchObject({
          ok: true,
        })
        await bench.setup.settle()
        expect(bench.stillWorking()).toEqual([])
      })
    }

    it('P1: a mint that lands after it was ended by name is useless', async (context) => {
      await using bench = await start(setup)
      bench.needsRevoke(context)
      const late = bench.deadlineMs + 500
      bench.setup.faults.plan(bench.setup.mintOperation, { kind: 'late', ms: late }, 1)
      expect((await bench.mintFailure()).outcome).toBe('unknown')
      expect(await bench.endOrder(bench.endOf(bench.firstOrder, null))).toMatchObject({ ok: true })
      await sleep(800)
      await bench.setup.settle()
      expect(bench.stillWorking()).toEqual([])
    })

    it('P2: no error text contains a secret', async () => {
      await using bench = await start(setup)
      for (const fault of [bench.setup.refusal, ...UNKNOWN_OUTCOMES]) {
        bench.setup.faults.clear()
        bench.setup.faults.plan(bench.setup.mintOperation, fault, 1)
        const error = await bench.mintFailure(bench.order('one-of-many'))
        bench.expectNoSecretIn(error)
        bench.expectNoSecretIn(error.message)
      }
      bench.expectNoSecretIn(bench.logged)
    })

    it('P5: a renewal does not pass its own order', async (context) => {
      await using bench = await start(setup)
      if (!bench.provider.renew) return context.skip('renewing means minting again')
      const minted = await bench.mint()
      const order = bench.order(bench.name, 2, minted)
      const renewed = await bench.provider.renew(order)
      expect(renewed.expiresAt).toBeLessThanOrEqual(order.notAfter)
      expect(renewed.expiresAt).toBeGreaterThan(Date.now())
      expect(await bench.setup.useInside(minted)).toBe(true)
      await bench.end(renewed)
      await bench.setup.settle()
      expect(await bench.setup.useInside(minted)).toBe(false)
    })

    it('tells the operator what its identities lack or that they lack nothing', async () => {
      await using bench = await start(setup)
      const findings = await bench.provider.check()
      expect(findings.length).toBeGreaterThan(0)
      expect(findings.filter((finding) => finding.level === 'blocking')).toEqual([])
      bench.expectNoSecretIn(findings)
    })

    it('P1: finds what the upstream holds in its name', async (context) => {
      await using bench = await start(setup)
      if (!bench.provider.inventory) return context.skip('this upstream cannot be asked')
      const minted = await bench.mint()
      if (bench.setup.inventorySees === 'ended') await bench.end(minted)
      const { group, slot } = bench.firstOrder
      const items = await bench.provider.inventory({
        groups: group === null ? [] : [group],
        slots: slot === null ? [] : [slot],
      })
      const ours = items.filter(
        (item) => item.upstreamName === bench.name || (slot !== null && item.slot === slot),
      )
      expect(ours).not.toEqual([])
      bench.expectNoSecretIn(items)
    })
  })
}

/** Nothing can be concluded from these answers to a mint. */
const UNKNOWN_OUTCOMES: readonly Fault[] = [
  { kind: 'fail', status: 500 },
  { kind: 'fail', status: 503 },
  { kind: 'hang' },
  { kind: 'lose' },
  { kind: 'garbage' },
]

async function start(setup: () => Promise<ContractSetup>) {
  return new Bench(await setup())
}

/** One provider instance over one upstream, with orders for leases on it. */
class Bench {
  readonly setup: ContractSetup
  readonly provider: Provider
  readonly description: Description
  readonly firstOrder: MintOrder
  readonly deadlineMs: number
  readonly logged: unknown[] = []
  readonly #orders = new Map<string, MintOrder>()
  readonly #minted: Minted[] = []
  readonly #clock: Clock

  constructor(setup: ContractSetup) {
    this.setup = setup
    this.deadlineMs = setup.deadlineMs ?? 700
    this.#clock = testClock()
    this.provider = setup.definition.create({
      name: 'under-test',
      installation: 'contract',
      writer: writerOf(),
      settings: setup.definition.settings.parse(setup.settings),
      clock: this.#clock,
      secret: (reference) => new Secret(secretOf(setup, reference)),
      log: {
        info: (data, message) => this.logged.push({ data, message }),
        warn: (data, message) => this.logged.push({ data, message }),
      },
    })
    const description = this.describe(setup.intent)
    if ('refused' in description) throw new Error(`describe refused: ${description.refused}`)
    this.description = description
    this.firstOrder = this.order('first')
  }

  get name(): string {
    return this.firstOrder.upstreamName
  }

  describe(intent: readonly IntentItem[]) {
    const { definition } = this.setup
    return definition.describe({
      settings: definition.settings.parse(this.setup.settings),
      target: definition.target.parse(this.setup.target),
      intent,
    })
  }

  /** An order for the lease known here as `key`; a new generation keeps its lease. */
  order(key = 'first', generation = 1, earlier?: Minted): MintOrder {
    const known = generation > 1 ? this.firstOrder : this.#orders.get(key)
    const lease = known?.lease ?? newId('lease', idSource)
    const order: MintOrder = {
      lease,
      upstreamName: upstreamName(lease),
      generation,
      task: known?.task ?? newId('task', idSource),
      agent: 'contract-agent',
      tenant: 'contract-tenant',
      holder: { key: null, chain: [] },
      target: this.setup.definition.target.parse(this.setup.target),
      targetName: this.description.target,
      group: this.description.group,
      scope: this.description.scope,
      intent: this.setup.intent,
      ttlSeconds: this.setup.ttlSeconds,
      notAfter: this.#clock.now() + this.setup.ttlSeconds * 1_000,
      slot: this.#slotFor(key, known),
      handle: earlier?.handle ?? null,
      signal: AbortSignal.timeout(this.deadlineMs),
    }
    this.#orders.set(key, order)
    return order
  }

  async mint(): Promise<Minted> {
    const minted = await this.provider.mint({ ...this.firstOrder, signal: this.#deadline() })
    this.#minted.push(minted)
    return minted
  }

  async mintFailure(order: MintOrder = this.firstOrder): Promise<UpstreamError> {
    try {
      await this.provider.mint({ ...order, signal: this.#deadline() })
    } catch (error) {
      expect(error).toBeInstanceOf(UpstreamError)
      if (error instanceof UpstreamError) return error
    }
    throw new Error('the mint did not fail')
  }

  endOf(order: MintOrder, minted: Minted | null): EndOrder {
    return {
      lease: order.lease,
      upstreamName: order.upstreamName,
      task: order.task,
      agent: order.agent,
      tenant: order.tenant,
      target: order.target,
      targetName: order.targetName,
      group: order.group,
      slot: order.slot,
      handle: minted?.handle ?? null,
      nativeExpiresAt: minted?.nativeExpiresAt ?? null,
      latestPossibleExpiry: order.notAfter + 60_000,
    }
  }

  end(minted: Minted): Promise<EndOutcome> {
    return this.endOrder(this.endOf(this.firstOrder, minted))
  }

  async endOrder(order: EndOrder): Promise<EndOutcome> {
    const outcomes = await this.provider.revoke?.({
      group: order.group,
      orders: [order],
      stillRefused: [],
      signal: this.#deadline(),
    })
    const outcome = outcomes?.find((candidate) => candidate.lease === order.lease)
    if (!outcome) throw new Error('the provider gave no outcome for the lease')
    return outcome
  }

  /** A batch may fail as a whole or order by order; both are an end that did not succeed. */
  async endOrFailure(minted: Minted): Promise<EndOutcome> {
    try {
      return await this.end(minted)
    } catch (error) {
      expect(error).toBeInstanceOf(UpstreamError)
      return { lease: this.firstOrder.lease, ok: false, error: String(error) }
    }
  }

  /** What the upstream would still honour of the first lease, by the ledger's account. */
  stillWorking(): readonly unknown[] {
    return this.setup.ledger.working().filter((record) => record.name === this.name)
  }

  needsRevoke(context: TestContext): void {
    if (!this.provider.revoke) context.skip('this upstream cannot end a credential early')
  }

  expectNoSecretIn(value: unknown, ...alsoOf: Minted[]): void {
    const text = typeof value === 'string' ? value : inspect(value, { depth: 12, showHidden: true })
    const own = [...Object.values(this.setup.secrets ?? {}), ...(this.setup.ownSecrets ?? [])]
    const given = [...this.#minted, ...alsoOf].flatMap((minted) => secretsIn(minted.credential))
    for (const secret of [...own, ...given]) expect(text.includes(secret)).toBe(false)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.provider.close()
    await this.setup.close()
  }

  #slotFor(key: string, known: MintOrder | undefined): string | null {
    if (known) return known.slot
    const taken = new Set([...this.#orders.values()].map((order) => order.slot))
    const free = this.description.slots?.find((slot) => !taken.has(slot))
    if (this.description.slots && free === undefined) throw new Error(`no slot left for ${key}`)
    return free ?? null
  }

  #deadline(): AbortSignal {
    return AbortSignal.timeout(this.deadlineMs)
  }
}

function secretOf(setup: ContractSetup, reference: string): string {
  const value = setup.secrets?.[reference]
  if (value === undefined) throw new Error(`the setup gives no value for ${reference}`)
  return value
}

/** Every secret text inside a credential, however deep. */
function secretsIn(value: unknown): string[] {
  if (value instanceof Secret) return [value.reveal()]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(secretsIn)
}

function testClock(): Clock {
  return steadyClock(
    {
      wall: () => Date.now(),
      monotonic: () => performance.now(),
      after: (ms, run) => {
        const timer = setTimeout(run, ms)
        return () => clearTimeout(timer)
      },
    },
    0,
  )
}
