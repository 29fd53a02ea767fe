import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Decision } from '../model/decision.ts'
import { type PolicyThread, startPolicyThread } from '../policy/apart.ts'
import { describe } from '../policy/describe.ts'
import type { AgentDescription, AgentQuestion } from '../policy/described.ts'
import type { PolicySource } from '../policy/policy-set.ts'
import type { NewDecision, ShadowDifference, Store } from '../store/store.ts'

/** The part of a broker that is needed here. */
interface Beside {
  readonly store: Pick<Store, 'decisions'>
  readonly log: { warn(data: Record<string, unknown>, message: string): void }
}

interface Noted {
  readonly broker: Beside
  readonly decision: NewDecision
  readonly inputs: readonly AgentDescription[]
}

/** More than a broker decides in a second: what comes faster than it is asked is left out. */
const MAX_WAITING = 2_000
const BATCH = 50

/**
 * Policies that are asked beside those in force and never enforced. What they would have decided
 * differently is recorded after the answer was given; they run in a thread of their own, and
 * nothing that goes wrong with them reaches a request.
 */
export class ShadowPolicies {
  readonly hash: string
  readonly #sources: readonly PolicySource[]
  readonly #waiting: Noted[] = []
  #thread: PolicyThread | undefined
  #draining: Promise<void> | undefined
  #closed = false
  #skipped = 0

  constructor(set: { readonly hash: string; readonly sources: readonly PolicySource[] }) {
    this.hash = set.hash
    this.#sources = set.sources
  }

  /** Remembers to ask about a decision, later. Never throws, never waits. */
  note(broker: Beside, decision: NewDecision, questions: readonly AgentQuestion[]): void {
    if (this.#closed || questions.length === 0) return
    if (this.#waiting.length >= MAX_WAITING) {
      this.#skipped += 1
      return
    }
    this.#waiting.push({ broker, decision, inputs: questions.map(describe) })
    this.#draining ??= this.#drain(broker).finally(() => {
      this.#draining = undefined
    })
  }

  /** Resolves once everything noted so far was asked. */
  async settled(): Promise<void> {
    await this.#draining
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#waiting.length = 0
    await this.#thread?.close()
    await this.#draining
  }

  async #drain({ log }: Beside): Promise<void> {
    try {
      for (;;) {
        await nextTurn()
        const batch = this.#waiting.splice(0, BATCH)
        if (batch.length === 0) break
        await this.#ask(batch)
      }
    } catch (error) {
      const left = this.#waiting.splice(0).length
      this.#thread = undefined
      if (!this.#closed) log.warn({ err: error, left }, 'shadow policies were not asked')
    }
    if (this.#skipped > 0) {
      log.warn({ skipped: this.#skipped }, 'shadow policies could not keep up')
      this.#skipped = 0
    }
  }

  async #ask(batch: readonly Noted[]): Promise<void> {
    this.#thread ??= startPolicyThread(this.#sources)
    const { decide } = this.#thread
    const answers = await Promise.all(batch.map(({ inputs }) => decide(inputs)))
    const differences = batch.flatMap(({ decision }, at) => {
      const would = answers[at]
      return would && would.outcome !== decision.outcome ? [differenceOf(decision, would)] : []
    })
    const [first] = batch
    if (first && differences.length > 0) await first.broker.store.decisions.noteShadow(differences)
  }
}

function differenceOf(decision: NewDecision, would: Decision): ShadowDifference {
  const { outcome, policies, reasons, policyHash } = would
  return { decision: decision.id, outcome, policies, reasons, policyHash }
}
