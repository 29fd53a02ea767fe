import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError } from '../../src/client/api-error.ts'
import { type ApiClient, issuedIn } from '../../src/client/http.ts'
import type { LeaseWire, TaskWire } from '../../src/model/wire.ts'
import { type Held, hold, type ProviderName } from './agent.ts'
import { INTENT } from './configuration.ts'
import { type AuditReport, nothingYet, type Providers } from './report.ts'
import type { Timeline } from './timeline.ts'
import type { World } from './world.ts'

export const PROVIDERS = ['aws', 'vault', 'gcp'] as const satisfies readonly ProviderName[]

/** A task as the agent has it: what it may call, and what it was lent. */
export interface RunningTask {
  readonly task: TaskWire
  readonly api: ApiClient
  readonly lent: Lent[]
}

export interface Lent {
  readonly lease: LeaseWire
  readonly held: Held
}

/** What the steps hand on to each other, and what they found out. */
export class Stage {
  readonly world: World
  readonly timeline: Timeline
  readonly providers: Providers = nothingYet()
  readonly audit: AuditReport = { events: 0, verified: false }
  #task: RunningTask | undefined

  constructor(world: World, timeline: Timeline) {
    this.world = world
    this.timeline = timeline
  }

  /** The task of the part being played. */
  get task(): RunningTask {
    if (!this.#task) throw new Error('no task is open: an earlier step did not happen')
    return this.#task
  }

  /** Opens a task with fresh evidence of the workload. */
  async open(purpose: string, intent = INTENT): Promise<RunningTask> {
    const { issuer, as } = this.world
    const evidence = await issuer.evidence()
    const opened = await as(evidence).openTask({ purpose, intent, ttl_seconds: 600 })
    this.#task = { task: opened.task, api: as(opened.token), lent: [] }
    return this.#task
  }

  /** Asks for the credential of one entitlement of the task. */
  async borrow(entitlement: string): Promise<Lent> {
    const { task, api, lent } = this.task
    const { lease, credential } = issuedIn(await api.requestCredential(task.id, { entitlement }))
    const one = { lease, held: hold(entitlement, credential, this.world.upstreams) }
    lent.push(one)
    return one
  }

  /** The lease once Mayfly knows more of its end than that it was ordered, or as it is by then. */
  async settled({ id }: LeaseWire): Promise<LeaseWire> {
    const deadline = performance.now() + SETTLE_MS
    for (;;) {
      const lease = await this.world.operator.lease(id)
      const known = lease.containment !== undefined && lease.containment !== 'pending'
      if (known || performance.now() > deadline) return lease
      await sleep(LOOK_EVERY_MS)
    }
  }
}

/** What one provider lent a task. */
export function lentBy(task: RunningTask, provider: ProviderName): readonly Lent[] {
  return task.lent.filter(({ held }) => held.provider === provider)
}

/** Fails the step unless `condition` holds. */
export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}

/** The API's refusal of a call that must be refused. */
export async function refusalOf(call: Promise<unknown>): Promise<ApiError> {
  try {
    await call
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
  throw new Error('it was allowed, and should have been refused')
}

const PATIENCE_MS = 5_000
const SETTLE_MS = 1_000
const LOOK_EVERY_MS = 25

/** Looks until something is there. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    demand(
      performance.now() < deadline,
      `within ${PATIENCE_MS / 1_000} s it did not happen: ${what}`,
    )
    await sleep(LOOK_EVERY_MS)
  }
}
