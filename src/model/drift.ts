/** How an upstream can differ from what is known here. */
export const DRIFT_KINDS = [
  /** What was refused is accepted again, or what refused it is gone. */
  'containment-lost',
  /** An active lease that the upstream refuses or does not know. */
  'died-early',
  /** Something that bears the name of a lease which is not in the store. */
  'unknown-lease',
  /** Something of a dead lease that should have been cleaned up. */
  'left-over',
  /** A slot that no lease holds is switched off: nothing can be minted on it. */
  'slot-off',
  /** A part of the upstream that could not be looked at. */
  'unseen',
] as const
export type DriftKind = (typeof DRIFT_KINDS)[number]
