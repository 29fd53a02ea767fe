import { z } from '@hono/zod-openapi'
import type { AuditEvent } from '../../audit/events.ts'
import type { DecisionRecord } from '../../broker/read.ts'
import type { AuditEventWire, DecisionWire } from '../../model/wire.ts'
import { actAnswer, actWire } from './act.ts'
import { known, rfc3339, unreadable } from './known.ts'
import { verdictAnswer, verdictWire } from './verdict.ts'

const instant = z.iso.datetime()

export const decisionAnswer = z
  .strictObject({
    id: z.string(),
    at: instant,
    action: z.string(),
    outcome: z.enum(['permit', 'deny', 'needs-approval']),
    agent: z.string(),
    tenant: z.string(),
    task: z.string().optional(),
    act: actAnswer.optional(),
    entitlement: z.string().optional(),
    policies: z.array(z.string()),
    rails: z.array(z.string()),
    reasons: z.array(z.string()),
    policy_hash: z.string(),
    lease: z.string().optional(),
    inputs: z.array(z.record(z.string(), z.unknown())).optional(),
    shadow: verdictAnswer.optional(),
    unreadable,
  })
  .openapi('Decision')

export const auditEventAnswer = z
  .strictObject({
    seq: z.int(),
    at: instant,
    type: z.string(),
    actor: z.string(),
    tenant: z.string().optional(),
    task: z.string().optional(),
    lease: z.string().optional(),
    data: z.record(z.string(), z.unknown()),
    prev: z.string(),
    hash: z.string(),
    unreadable,
  })
  .openapi('AuditEvent')

export const auditHeadAnswer = z
  .strictObject({ seq: z.int(), hash: z.string(), at: instant })
  .openapi('AuditHead')

export function decisionWire(
  decision: DecisionRecord,
  inputs?: readonly Record<string, unknown>[],
): DecisionWire {
  return {
    id: decision.id,
    at: rfc3339(decision.at),
    action: decision.action,
    outcome: decision.outcome,
    agent: decision.agent,
    tenant: decision.tenant,
    ...known({ task: decision.task, entitlement: decision.entitlement }),
    ...actWire(decision),
    policies: [...decision.policies],
    rails: [...decision.rails],
    reasons: [...decision.reasons],
    policy_hash: decision.policyHash,
    ...known({ lease: decision.lease, inputs: inputs && [...inputs] }),
    ...known({ shadow: decision.shadow && verdictWire(decision.shadow) }),
    ...known({ unreadable: decision.unreadable }),
  }
}

export function auditEventWire(event: AuditEvent): AuditEventWire {
  const { seq, at, type, actor, tenant, task, lease, data, prev, hash, unreadable } = event
  const about = known({ tenant, task, lease })
  return { seq, at, type, actor, ...about, data: { ...data }, prev, hash, ...known({ unreadable }) }
}
