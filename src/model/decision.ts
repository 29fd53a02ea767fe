/**
 * The answer to one request, with everything needed to say why. `rails` are the hard checks that
 * refused (no policy can lift them); `policies` are the ids of the policies that determined the
 * outcome, permitting or forbidding; both empty with `deny` means that no policy permits it.
 */
export interface Decision {
  readonly outcome: 'permit' | 'deny' | 'needs-approval'
  readonly policies: readonly string[]
  readonly rails: readonly string[]
  /** SHA-256 of the canonical policy set that was asked or, for a rail, in force. */
  readonly policyHash: string
  /** In words, for operators and audit; an agent is told no more than the error's own message. */
  readonly reasons: readonly string[]
}

/** A rail's refusal as a decision: `rail` names the check, `reason` says what it saw. */
export function deniedByRail(refusal: {
  rail: string
  reason: string
  policyHash: string
}): Decision {
  return {
    outcome: 'deny',
    policies: [],
    rails: [refusal.rail],
    policyHash: refusal.policyHash,
    reasons: [refusal.reason],
  }
}

/** Of decisions that must all permit: the strictest outcome, and those who came to it; else `own`. */
export function strictest(own: Decision, all: readonly Decision[]): Decision {
  const outcome = (['deny', 'needs-approval'] as const).find((strict) =>
    all.some((one) => one.outcome === strict),
  )
  if (outcome === undefined) return own
  const those = all.filter((one) => one.outcome === outcome)
  return {
    ...own,
    outcome,
    policies: [...new Set(those.flatMap((one) => one.policies))],
    rails: [...new Set(those.flatMap((one) => one.rails))],
    reasons: [...new Set(those.flatMap((one) => one.reasons))],
  }
}
