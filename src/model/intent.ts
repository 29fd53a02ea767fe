/**
 * One thing a task may do, in the form of RFC 9396 `authorization_details`: any of `actions` on any
 * of `locations`, under `constraints`. `type` names the vocabulary, `identifier` the entitlement.
 */
export interface IntentItem {
  readonly type: string
  readonly identifier?: string
  readonly actions: readonly string[]
  readonly locations: readonly string[]
  readonly constraints?: Readonly<Record<string, readonly string[]>>
}

/** What makes an action one of those the strictest checks are kept for. */
export const IMPACTS = [
  'destructive-write',
  'credential-access',
  'bulk-read',
  'privilege-escalation',
  'cross-zone',
] as const
export type Impact = (typeof IMPACTS)[number]

/** A refusal as a value: why, in words that name the item at fault. */
export interface Refusal {
  readonly refused: string
}

/**
 * What a provider teaches the intent algebra about its own language. Every answer errs to the
 * narrow side: `covers…` is true only if everything `request` can match at the upstream is also
 * matched by `ceiling` there; in doubt it is false.
 */
export interface Vocabulary {
  /** The `type` of intent items it understands. */
  readonly type: string
  /** Checks one item's grammar; a refusal names the value at fault. */
  check(item: IntentItem): Refusal | undefined
  coversAction(ceiling: string, request: string): boolean
  coversLocation(ceiling: string, request: string): boolean
  /** Constraints only narrow: a missing one on the request side is wider than any. */
  coversConstraints(
    ceiling: IntentItem['constraints'] | undefined,
    request: IntentItem['constraints'] | undefined,
  ): boolean
  /** Whether two location patterns can name the same thing; in doubt true (for datasets). */
  overlaps(a: string, b: string): boolean
  /** Of one action on any of the locations: they come together, so that what is the same for all is worked out once. */
  impactOf(action: string, locations: readonly string[]): readonly Impact[]
}
