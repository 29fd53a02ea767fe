import type { RiskLevel } from '../model/risk.ts'
import type { Selector } from '../model/selector.ts'
import { hiddenCharacter, MAX_TEXT } from '../model/text.ts'
import { SIGNAL_ACTIONS, type SignalAction } from './signal.ts'

/** What a source said, in one shape whatever format it came in, before its scope is applied. */
export interface Report {
  /** The same id must always come with one hash; it has its effect once. */
  readonly messageId: string
  readonly bodyHash: string
  /** Whom it is about: any of these. None: nobody known here, which `about.why` explains. */
  readonly subjects: readonly Selector[]
  readonly level: RiskLevel | null
  /** `note`: kept, without effect. */
  readonly action: SignalAction | 'note'
  readonly reason: string
  readonly ttlSeconds: number | null
  /** Absent where the format is our own. */
  readonly about?: ReportAbout
  /** Only within one topic does a later word of a source replace its earlier one. */
  readonly topic?: string
  /** When it happened, epoch milliseconds: an earlier event never undoes a later one. */
  readonly at?: number
  /** Its sender cannot prove who it is: it takes nothing back. */
  readonly raisesOnly?: true
}

/** The sender's own words for it, and why it has no effect if it has none. */
export interface ReportAbout {
  readonly event?: string
  readonly subject?: unknown
  readonly why?: string
}

/** The milder of what a report asks for and what its source may do. */
export function within<Action extends SignalAction | 'note'>(
  action: Action,
  most: SignalAction,
): Action | SignalAction {
  const rank = (one: SignalAction | 'note') => (one === 'note' ? -1 : SIGNAL_ACTIONS.indexOf(one))
  return rank(action) > rank(most) ? most : action
}

/** A stranger's words as a reason: what cannot be seen is left out, and what is too long. */
export function asReason(words: unknown, otherwise: string): string {
  if (typeof words !== 'string') return otherwise
  let text = ''
  for (const character of words.slice(0, 4 * MAX_TEXT)) {
    if (text.length + character.length > MAX_TEXT) break
    if (hiddenCharacter(character) === undefined) text += character
  }
  return text.trim() || otherwise
}
