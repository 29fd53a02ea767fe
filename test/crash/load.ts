import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { ApiError, UnreachableError } from '../../src/client/api-error.ts'
import { issuedIn } from '../../src/client/http.ts'
import type { IssuedWire, SelectorWire } from '../../src/model/wire.ts'
import { APPROVED, askWithApproval, decideApproval } from './asking-twice.ts'
import { secretsOf, useOf } from './holder.ts'
import { AGENTS, answered, apiWith, evidenceOf, type LoadParts } from './load-parts.ts'
import { type KnownLease, type KnownTask, reaches } from './memory.ts'
import { PART, passOn, takeOver } from './passing-on.ts'
import { changePolicies } from './policy-changes.ts'
import { revokeSession } from './security-events.ts'
import { OFFERS, type Tenant } from './upstreams.ts'

/** Live tasks an agent keeps at a time, across restarts. */
const TASKS_PER_AGENT = 3
/** Leases of upstreams whose denials stay for minutes are asked for sparingly. */
const SCARCE_CHANCE = 0.35

/** Agents, operators and a SIEM at work against one life of the broker, until it is gone. */
export class Load {
  readonly #parts: LoadParts
  readonly #running: Promise<void>[]
  readonly #thefts: Promise<void>[] = []
  readonly #unexpected: unknown[] = []
  #over = false

  constructor(parts: LoadParts) {
    this.#parts = parts
    const workers = [...AGENTS, ...AGENTS].map((agent) => () => this.#work(agent))
    const jobs = [...workers, () => this.#administer(), () => this.#approve()]
    this.#running = jobs.map((job) => this.#repeat(job))
  }

  /** Resolves when every request has its answer or knows that there will be none. */
  async stop(): Promise<readonly unknown[]> {
    this.#over = true
    await Promise.all(this.#running)
    await Promise.all(this.#thefts)
    return this.#unexpected
  }

  async #repeat(job: () => Promise<void>): Promise<void> {
    while (!this.#over) {
      try {
        await job()
      } catch (error) {
        // Without an answer nobody knows what happened, and nothing was promised.
        if (error instanceof UnreachableError) await sleep(20)
        else if (error instanceof ApiError && error.status !== 500) {
          this.#parts.memory.refused(error.code)
        } else this.#unexpected.push(error)
      }
      await sleep(this.#parts.seeded.between(0, 12))
    }
  }

  async #work(agent: { id: string; tenant: Tenant }): Promise<void> {
    const { seeded, memory } = this.#parts
    const mine = memory.tasks.filter((task) => task.agent === agent.id && isLive(task))
    const tasks = mine.slice(-TASKS_PER_AGENT)
    const waiting = memory.delegations.find(
      ({ agent: to, child, gone }) => to === agent.id && child === undefined && !gone,
    )
    if (waiting && seeded.chance(0.2)) {
      return await takeOver(this.#parts, waiting).catch((error) => {
        if (error instanceof ApiError) waiting.gone = true
        throw error
      })
    }
    if (tasks.length < TASKS_PER_AGENT && (tasks.length === 0 || seeded.chance(0.2))) {
      return await this.#open(agent)
    }
    const task = seeded.pick(tasks)
    await this.#workOn(task).catch((error) => {
      if (isRefusal(error, 'task_ended')) task.gone = true
      throw error
    })
  }

  async #workOn(task: KnownTask): Promise<void> {
    const { seeded, memory } = this.#parts
    const leases = memory.leases.filter((lease) => lease.task === task && isLive(lease))
    const roll = seeded.next()
    if (leases.length === 0 || roll < 0.45) return await this.#issue(task)
    const lease = seeded.pick(leases)
    if (roll < 0.6) return await this.#endLease(lease)
    if (roll < 0.72) return await this.#renew(lease)
    if (roll < 0.8) return void (await seeded.pick(lease.uses)())
    if (roll < 0.88) return await passOn(this.#parts, task)
    if (roll < 0.95) return void (await this.#api(task.token).heartbeat(task.id))
    return await this.#endTask(task)
  }

  async #open({ id: agent, tenant }: { id: string; tenant: Tenant }): Promise<void> {
    const { memory, seeded } = this.#parts
    const evidence = await evidenceOf(this.#parts, agent)
    const intent = OFFERS.filter((offer) => offer.tenants.includes(tenant)).map((offer) => ({
      type: offer.type,
      identifier: offer.entitlement,
      actions: [...offer.actions],
      locations: [...offer.locations],
    }))
    const sentAt = Date.now()
    const { task, token } = await this.#api(evidence).openTask({
      purpose: `round ${this.#parts.round}`,
      intent,
      ttl_seconds: 3_600,
      ...(seeded.chance(0.2) ? { heartbeat_seconds: 10 } : {}),
    })
    memory.secrets.push(token)
    memory.tasks.push({ id: task.id, token, agent, tenant, opened: this.#now(sentAt) })
    memory.acknowledge()
  }

  async #issue(task: KnownTask): Promise<void> {
    const { seeded } = this.#parts
    const offers = OFFERS.filter(
      ({ tenants, entitlement }) =>
        tenants.includes(task.tenant) &&
        (task.parent === undefined || entitlement === PART.identifier),
    )
    const scarce = task.parent === undefined && seeded.chance(SCARCE_CHANCE)
    const kinds = offers.filter(
      ({ provider }) => (provider !== 'vault' && provider !== 'own') === scarce,
    )
    const { entitlement } = seeded.pick(kinds)
    const key = seeded.chance(0.3) ? `key-${seeded.between(1, 5)}` : undefined
    const sentAt = Date.now()
    const request = { entitlement }
    const issued =
      entitlement === APPROVED
        ? await askWithApproval(this.#parts, task)
        : issuedIn(await this.#api(task.token).requestCredential(task.id, request, key))
    if (issued) await this.#take(task, issued, sentAt)
  }

  async #take(task: KnownTask, { lease, credential }: IssuedWire, sentAt: number): Promise<void> {
    const { upstreams, memory } = this.#parts
    memory.secrets.push(...secretsOf(credential))
    const { id, upstream_name: name, entitlement, provider } = lease
    const use = useOf(upstreams, credential, name)
    const issued = this.#now(sentAt)
    memory.leases.push({ id, name, task, entitlement, provider, issued, uses: [use] })
    memory.acknowledge()
    await use()
  }

  async #renew(lease: KnownLease): Promise<void> {
    const { upstreams, memory } = this.#parts
    const { credential } = await this.#api(lease.task.token)
      .renewLease(lease.id)
      .catch((error) => {
        if (isRefusal(error, 'lease_ended')) lease.gone = true
        throw error
      })
    const secrets = secretsOf(credential)
    memory.secrets.push(...secrets)
    if (secrets.length > 0) lease.uses.push(useOf(upstreams, credential, lease.name))
    memory.acknowledge()
  }

  async #endLease(lease: KnownLease): Promise<void> {
    const { memory, seeded, operatorToken } = this.#parts
    const sentAt = Date.now()
    const token = seeded.chance(0.2) ? operatorToken : lease.task.token
    await this.#api(token).endLease(lease.id)
    lease.ended = this.#now(sentAt)
    memory.acknowledge()
    this.#thefts.push(haunt(seeded.pick(lease.uses)))
  }

  async #endTask(task: KnownTask): Promise<void> {
    const sentAt = Date.now()
    await this.#api(task.token).endTask(task.id, 'completed')
    task.ended = this.#now(sentAt)
    this.#parts.memory.acknowledge()
  }

  /** Now and then somebody pulls the brake. */
  async #administer(): Promise<void> {
    const { seeded, operatorToken, memory } = this.#parts
    await sleep(seeded.between(60, 400))
    if (this.#over) return
    if (seeded.chance(0.2)) return await changePolicies(this.#parts)
    if (seeded.chance(0.05)) return await revokeSession(this.#parts, seeded.pick(AGENTS).id)
    const selector = this.#selector()
    if (selector === undefined) return
    if (seeded.chance(0.4)) return await this.#signal(selector)
    const blockSeconds = seeded.between(0, 2)
    const sentAt = Date.now()
    const { kill } = await this.#api(operatorToken).kill({
      selector,
      reason: 'a crash round',
      block_seconds: blockSeconds,
    })
    const blockedUntil = blockSeconds === 0 ? undefined : sentAt + blockSeconds * 1_000
    const ordered = this.#now(sentAt)
    memory.kills.push({ id: kill.id, by: 'operator', selector, ordered, blockedUntil })
    memory.acknowledge()
    this.#thefts.push(...this.#reached(selector).map(({ uses }) => haunt(seeded.pick(uses))))
  }

  async #approve(): Promise<void> {
    await sleep(this.#parts.seeded.between(20, 200))
    if (!this.#over) await decideApproval(this.#parts)
  }

  async #signal(selector: SelectorWire): Promise<void> {
    const { upstreams, seeded, memory, operatorToken } = this.#parts
    const id = `msg_${memory.answers}_${seeded.between(0, 1e9)}`
    const seconds = seeded.between(1, 2)
    const level = seeded.chance(0.5) ? { level: 'HIGH' } : { action: 'kill' }
    const body = JSON.stringify({
      subject: selector,
      reason: 'seen',
      ttl_seconds: seconds,
      ...level,
    })
    const at = new Date()
    const { signal } = await this.#api(undefined).sendSignal({
      source: 'siem',
      body,
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
        'webhook-signature': new Webhook(upstreams.siemSecret).sign(id, at, body),
      },
    })
    const narrow = 'lease' in selector || 'task' in selector
    const blockedUntil = narrow ? undefined : at.getTime() + seconds * 1_000
    if (signal.kill !== undefined) {
      const ordered = this.#now(at.getTime())
      memory.kills.push({ id: signal.kill, by: 'signal', selector, ordered, blockedUntil })
    }
    memory.acknowledge()
    const order = { signals: [signal.id], reason: 'a false alarm' }
    if ('level' in level && seeded.chance(0.3)) await this.#api(operatorToken).clearRisk(order)
  }

  /** Some of the leases that a kill means. */
  #reached(selector: SelectorWire): KnownLease[] {
    return this.#parts.memory.leases.filter((lease) => reaches(selector, lease)).slice(-5)
  }

  #selector(): SelectorWire | undefined {
    const { seeded, memory } = this.#parts
    const live = memory.leases.filter(isLive)
    if (live.length === 0) return undefined
    const { id, task, entitlement } = seeded.pick(live.slice(-20))
    return seeded.pick<SelectorWire>([
      { lease: id },
      { task: task.id },
      { agent: task.agent },
      { agent: task.agent, entitlement },
      { tenant: task.tenant, provider: 'vault' },
    ])
  }

  #api(token: string | undefined) {
    return apiWith(this.#parts, token)
  }

  #now(sentAt: number) {
    return answered(this.#parts, sentAt)
  }
}

/** A thief tries on, while an end takes effect and a while after. */
async function haunt(use: () => Promise<boolean>): Promise<void> {
  for (const pause of [0, 30, 60, 60, 100, 100, 150, 250]) {
    await sleep(pause)
    await use()
  }
}

function isLive({ ended, gone }: { ended?: unknown; gone?: true }): boolean {
  return ended === undefined && gone === undefined
}

function isRefusal(error: unknown, code: string): boolean {
  return error instanceof ApiError && error.code === code
}
