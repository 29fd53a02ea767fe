import { z } from '@hono/zod-openapi'
import type { Decision } from '../../model/decision.ts'
import type { VerdictWire } from '../../model/wire.ts'

/** What a policy set says. */
export const verdictAnswer = z
  .strictObject({
    outcome: z.enum(['permit', 'deny', 'needs-approval']),
    policies: z.array(z.string()),
    reasons: z.array(z.string()),
    policy_hash: z.string(),
  })
  .openapi('Verdict')

export function verdictWire({
  outcome,
  policies,
  reasons,
  policyHash,
}: Omit<Decision, 'rails'>): VerdictWire {
  return { outcome, policies: [...policies], reasons: [...reasons], policy_hash: policyHash }
}
