import { z } from '@hono/zod-openapi'
import type { Caller } from '../../broker/authenticate.ts'
import { APPROVAL_CAUSES, APPROVAL_STATES, type Approval } from '../../model/approval.ts'
import { REVOCABILITIES } from '../../model/lease.ts'
import { RISK_LEVELS } from '../../model/risk.ts'
import type { ApprovalWire } from '../../model/wire.ts'
import { actAnswer, actWire } from './act.ts'
import { intentItemAnswer, intentWire } from './intent.ts'
import { known, rfc3339, rfc3339OrNone } from './known.ts'

const instant = z.iso.datetime()

/** What whoever decides has to know; the task is not told. */
const reviewAnswer = z
  .strictObject({
    agents_own_words: z.string().openapi({
      description:
        'The task’s purpose as the agent put it: a claim, not a fact, and no input to any decision.',
    }),
    workload: z.string(),
    risk: z.strictObject({ level: z.enum(RISK_LEVELS), reasons: z.array(z.string()) }),
    policies: z.array(z.string()).openapi({ description: 'Those that want the approval.' }),
    policy_hash: z.string(),
    grant: z.string().openapi({
      description: 'SHA-256 of what was asked for; a yes is good for nothing else.',
    }),
    decision: z.string(),
    decided_by: z.string().optional(),
    reason: z.string().optional(),
  })
  .openapi('ApprovalReview')

export const approvalAnswer = z
  .strictObject({
    id: z.string(),
    state: z.enum(APPROVAL_STATES),
    cause: z
      .enum(APPROVAL_CAUSES)
      .optional()
      .openapi({ description: 'Why it expired: time, or what changed.' }),
    task: z.string(),
    agent: z.string(),
    act: actAnswer.optional(),
    tenant: z.string(),
    entitlement: z.string(),
    provider: z.string(),
    target: z.string(),
    intent: z.array(intentItemAnswer),
    scope: z
      .record(z.string(), z.unknown())
      .openapi({ description: 'What the credential could do, in the upstream’s own terms.' }),
    zone: z.string(),
    datasets: z.array(z.string()),
    impact: z.array(z.string()),
    residuals: z.array(z.string()).openapi({ description: 'What would outlive the credential.' }),
    revocability: z.enum(REVOCABILITIES),
    ttl_seconds: z.int(),
    created_at: instant,
    expires_at: instant.openapi({
      description: 'Until when it can be decided or, once granted, used.',
    }),
    decided_at: instant.optional(),
    lease: z.string().optional().openapi({ description: 'The one it was used for.' }),
    review: reviewAnswer.optional().openapi({ description: 'For operators alone.' }),
  })
  .openapi('Approval')

export const awaitsApprovalAnswer = z
  .strictObject({ approval: approvalAnswer })
  .openapi('AwaitsApproval')

export function approvalWire(approval: Approval, to: Caller['kind']): ApprovalWire {
  const { id, state, cause, task, agent, tenant, entitlement, provider, target, shown } = approval
  return {
    id,
    state,
    ...known({ cause }),
    task,
    agent,
    ...actWire(approval),
    tenant,
    entitlement,
    provider,
    target,
    intent: intentWire(shown.intent),
    scope: { ...shown.scope },
    zone: shown.zone,
    datasets: [...shown.datasets],
    impact: [...shown.impact],
    residuals: [...shown.residuals],
    revocability: shown.revocability,
    ttl_seconds: approval.ttlSeconds,
    created_at: rfc3339(approval.createdAt),
    expires_at: rfc3339(approval.expiresAt),
    ...known({ decided_at: rfc3339OrNone(approval.decidedAt), lease: approval.lease }),
    ...(to === 'operator' && { review: reviewWire(approval) }),
  }
}

function reviewWire(approval: Approval): NonNullable<ApprovalWire['review']> {
  const { shown, decidedBy, reason } = approval
  return {
    agents_own_words: shown.purpose,
    workload: approval.workload,
    risk: { level: shown.risk.level, reasons: [...shown.risk.reasons] },
    policies: [...shown.policies],
    policy_hash: approval.policyHash,
    grant: approval.grant,
    decision: approval.decision,
    ...known({ decided_by: decidedBy, reason }),
  }
}
