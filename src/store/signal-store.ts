import type { Actor } from '../audit/events.ts'
import type { KillId, SignalId } from '../ids.ts'
import type { RiskLevel } from '../model/risk.ts'
import type { Selector } from '../model/selector.ts'
import type { KillCounts, KillOrder } from './kill-store.ts'
import type { Page } from './page.ts'

export interface Signal {
  readonly id: SignalId
  readonly source: string
  readonly messageId: string
  readonly bodyHash: string
  readonly receivedAt: number
  readonly subject: Selector
  readonly effective: readonly Selector[]
  readonly level: RiskLevel | null
  /** `note`: kept, without effect. */
  readonly action: 'kill' | 'block' | 'risk' | 'note'
  readonly reason: string
  readonly expiresAt: number | null
  /** In its sender's words, where the format is not our own. */
  readonly about: SignalAbout | null
  readonly kill: KillId | null
  readonly matched: KillCounts
  /** Some part of it cannot be read: it is HIGH (P3), and `effective` may name nobody. */
  readonly unreadable: boolean
}

export interface SignalAbout {
  readonly event?: string
  readonly subject?: unknown
  /** Why it has no effect. */
  readonly why?: string
}

/** A signal to be kept; what it does not say is as for a word in our own format. */
export interface NewSignal
  extends Omit<Signal, 'kill' | 'matched' | 'unreadable' | 'about' | 'effective'> {
  /** Empty: nobody, with action `note` and no level. */
  readonly effective: readonly Selector[]
  readonly about?: SignalAbout
  /** Only within one topic does a later word replace an earlier one. */
  readonly topic?: string
  /** When it happened; one that is earlier than another of its topic has no effect any more. */
  readonly at?: number
  /** It replaces nothing that is higher or stays longer, and none that is later makes it void. */
  readonly raisesOnly?: true
}

export type SignalResult =
  | { readonly ok: true; readonly signal: Signal; readonly repeated: boolean }
  | { readonly ok: false; readonly why: 'other-body' }

export interface SignalStore {
  /**
   * Keeps a signal with its effect, in one commit: the same id and body again has no second
   * effect, the same id with another body is refused. One that says when it happened, and comes
   * after a later one of its source, subject and topic, is kept without effect.
   */
  receive(signal: NewSignal, kills: readonly KillOrder[]): Promise<SignalResult>
  /** Unexpired signals that carry a level, newest of each source and subject; unreadable ones too. */
  risks(now: number): Promise<readonly Signal[]>
  /** Another text whenever another set of them counts; the same after a restart. */
  riskMark(now: number): Promise<string>
  /**
   * Takes back what these signals say of risk, on an operator's word. Returns those it still
   * counted; their blocks stay.
   */
  clear(order: {
    readonly ids: readonly SignalId[]
    readonly actor: Actor
    readonly reason: string
    readonly now: number
  }): Promise<readonly Signal[]>
  list(filter: { readonly source?: string }, page: Page): Promise<readonly Signal[]>
}
