import { z } from '@hono/zod-openapi'
import type { QueuedEnding } from '../../broker/read-trouble.ts'
import type { Lease } from '../../model/lease.ts'
import type { EndingWire, LeaseWire } from '../../model/wire.ts'
import { actAnswer, actWire } from './act.ts'
import { credentialAnswer } from './credential.ts'
import { known, rfc3339, rfc3339OrNone, unreadable } from './known.ts'

const instant = z.iso.datetime()
const containment = z.enum(['pending', 'enforced', 'proved', 'expired', 'unknown'])
const cause = z.enum([
  'ended',
  'replaced',
  'task-ended',
  'task-deadline',
  'heartbeat-lost',
  'parent-ended',
  'expired',
  'killed',
  'signal',
  'risk',
  'policy',
  'config',
  'unknown-outcome',
  'not-activated',
])

export const leaseAnswer = z
  .strictObject({
    id: z.string(),
    task: z.string(),
    agent: z.string(),
    act: actAnswer.optional(),
    tenant: z.string(),
    entitlement: z.string(),
    provider: z.string(),
    target: z.string(),
    state: z.enum(['reserved', 'active', 'ending', 'ended', 'failed']),
    containment: containment.optional().openapi({
      description:
        'How far an end has come: pending (ordered), enforced (accepted upstream), proved (seen refused), expired (died by itself).',
    }),
    proof: z
      .strictObject({ method: z.string(), regions: z.array(z.string()).optional(), at: instant })
      .optional(),
    cause: cause.optional(),
    generation: z.int().openapi({ description: 'Counts up with each renewal.' }),
    created_at: instant,
    expires_at: instant.openapi({ description: 'Use the credential no longer than this.' }),
    native_expires_at: instant
      .optional()
      .openapi({ description: 'When the upstream itself stops honouring it.' }),
    exposed_until: instant.openapi({
      description: 'The latest moment it could still work, as far as is known for sure.',
    }),
    ended_at: instant.optional(),
    upstream_name: z.string().openapi({ description: 'Its name in the upstream’s own log.' }),
    scope: z
      .record(z.string(), z.unknown())
      .openapi({ description: 'What it can do, in the upstream’s own terms.' }),
    residuals: z.array(z.string()).openapi({ description: 'What outlives the credential.' }),
    decision: z.string(),
    approval: z.string().optional().openapi({ description: 'The one it took, if it took one.' }),
    unreadable,
  })
  .openapi('Lease')

export const issuedAnswer = z
  .strictObject({ lease: leaseAnswer, credential: credentialAnswer })
  .openapi('Issued')

export const renewedAnswer = z
  .strictObject({ lease: leaseAnswer, credential: credentialAnswer, generation: z.int() })
  .openapi('Renewed')

export const endingAnswer = z
  .strictObject({
    lease: z.string(),
    provider: z.string(),
    target: z.string(),
    agent: z.string(),
    tenant: z.string(),
    lane: z.enum(['kill', 'end', 'expiry', 'cleanup']),
    containment,
    cause: cause.optional(),
    ending_since: instant,
    age_seconds: z.int(),
    attempts: z.int(),
    next_try_at: instant.optional(),
    last_error: z.string().optional(),
    exposed_until: instant,
    unreadable,
  })
  .openapi('Ending')

export function leaseWire(lease: Lease): LeaseWire {
  return {
    id: lease.id,
    task: lease.task,
    agent: lease.agent,
    ...actWire(lease),
    tenant: lease.tenant,
    entitlement: lease.entitlement,
    provider: lease.provider,
    target: lease.target,
    state: lease.state,
    ...known({ containment: lease.containment, proof: proofWire(lease), cause: lease.cause }),
    generation: lease.generation,
    created_at: rfc3339(lease.createdAt),
    expires_at: rfc3339(lease.expiresAt),
    ...known({ native_expires_at: rfc3339OrNone(lease.nativeExpiresAt) }),
    exposed_until: rfc3339(lease.exposedUntil),
    ...known({ ended_at: rfc3339OrNone(lease.endedAt) }),
    upstream_name: lease.upstreamName,
    scope: { ...lease.scope },
    residuals: [...lease.residuals],
    decision: lease.decision,
    ...known({ approval: lease.approval, unreadable: lease.unreadable }),
  }
}

export function endingWire(lease: QueuedEnding['lease'], now: number): EndingWire {
  const since = lease.endingSince ?? lease.createdAt
  return {
    lease: lease.id,
    provider: lease.provider,
    target: lease.target,
    agent: lease.agent,
    tenant: lease.tenant,
    lane: lease.lane ?? 'end',
    containment: lease.containment ?? 'pending',
    ...known({ cause: lease.cause }),
    ending_since: rfc3339(since),
    age_seconds: Math.max(0, Math.floor((now - since) / 1000)),
    attempts: lease.attempts,
    ...known({ next_try_at: rfc3339OrNone(lease.dueAt), last_error: lease.lastError }),
    exposed_until: rfc3339(lease.exposedUntil),
    ...known({ unreadable: lease.unreadable }),
  }
}

export function proofWire({ proof }: Pick<Lease, 'proof'>): LeaseWire['proof'] {
  if (!proof) return undefined
  const { method, regions, at } = proof
  return { method, ...(regions === undefined ? {} : { regions: [...regions] }), at: rfc3339(at) }
}
