import { z } from '@hono/zod-openapi'
import type { Requestable } from '../../broker/task-life.ts'
import { type Lease, REVOCABILITIES } from '../../model/lease.ts'
import { PROOFS, type Task } from '../../model/task.ts'
import type { HeartbeatWire, RequestableWire, TaskWire } from '../../model/wire.ts'
import { actAnswer, actWire } from './act.ts'
import { intentItemAnswer, intentWire } from './intent.ts'
import { known, rfc3339, rfc3339OrNone, unreadable } from './known.ts'

const instant = z.iso.datetime()

export const taskAnswer = z
  .strictObject({
    id: z.string(),
    agent: z.string(),
    tenant: z.string(),
    workload: z.string(),
    proof: z.enum(PROOFS).openapi({ description: 'How strongly its calls are tied to it.' }),
    key: z
      .string()
      .optional()
      .openapi({ description: 'The key every call needs: `jkt:` or `x5t#S256:` and its hash.' }),
    purpose: z.string(),
    intent: z.array(intentItemAnswer),
    labels: z.record(z.string(), z.string()),
    state: z.enum(['open', 'ended']),
    outcome: z.enum(['completed', 'failed', 'cancelled']).optional(),
    cause: z.string().optional(),
    parent: z.string().optional().openapi({ description: 'The task that delegated to it.' }),
    depth: z
      .int()
      .openapi({ description: 'How often the work was passed on before it came here.' }),
    act: actAnswer.optional(),
    children: z
      .int()
      .optional()
      .openapi({ description: 'How many tasks it delegated to; where one task is shown.' }),
    created_at: instant,
    deadline: instant.openapi({ description: 'Nothing of the task outlives it.' }),
    heartbeat_seconds: z.int().optional(),
    heartbeat_due_at: instant
      .optional()
      .openapi({ description: 'Without a heartbeat until then the task ends: two missed beats.' }),
    ended_at: instant.optional(),
    unreadable,
  })
  .openapi('Task')

export const openedTaskAnswer = z
  .strictObject({
    task: taskAnswer,
    token: z.string().openapi({ description: 'Sent once; dead with the task.' }),
  })
  .openapi('OpenedTask')

export const heartbeatAnswer = z
  .strictObject({
    task: taskAnswer,
    ended: z.array(
      z.strictObject({
        lease: z.string(),
        entitlement: z.string(),
        cause: z.string(),
        ended_at: instant,
      }),
    ),
  })
  .openapi('Heartbeat')

export const requestableAnswer = z
  .strictObject({
    entitlement: z.string(),
    provider: z.string(),
    target: z.string(),
    ceiling: z.array(intentItemAnswer),
    default_ttl_seconds: z.int(),
    max_ttl_seconds: z.int(),
    zone: z.string(),
    revocability: z.enum(REVOCABILITIES),
    residuals: z.array(z.string()),
  })
  .openapi('Requestable')

export function taskWire(task: Task): TaskWire {
  return {
    id: task.id,
    agent: task.agent,
    tenant: task.tenant,
    workload: task.workload,
    proof: task.proof,
    ...known({ key: task.key }),
    purpose: task.purpose,
    intent: intentWire(task.intent),
    labels: { ...task.labels },
    state: task.state,
    ...known({ outcome: task.outcome, cause: task.cause, parent: task.parent }),
    depth: task.depth,
    ...actWire({ ...task, task: task.id }),
    created_at: rfc3339(task.createdAt),
    deadline: rfc3339(task.deadline),
    ...known({
      heartbeat_seconds: task.heartbeatSeconds,
      heartbeat_due_at: rfc3339OrNone(task.heartbeatDueAt),
      ended_at: rfc3339OrNone(task.endedAt),
      unreadable: task.unreadable,
    }),
  }
}

/** `ended_at` is when the end was ordered: what the agent held is not to be used since then. */
export function heartbeatWire(beat: { task: Task; ended: readonly Lease[] }): HeartbeatWire {
  return {
    task: taskWire(beat.task),
    ended: beat.ended.map((lease) => ({
      lease: lease.id,
      entitlement: lease.entitlement,
      cause: lease.cause ?? 'ended',
      ended_at: rfc3339(lease.endingSince ?? lease.endedAt ?? lease.createdAt),
    })),
  }
}

export function requestableWire({ entitlement, description }: Requestable): RequestableWire {
  return {
    entitlement: entitlement.id,
    provider: entitlement.provider,
    target: description?.target ?? entitlement.provider,
    ceiling: intentWire(entitlement.ceiling),
    default_ttl_seconds: entitlement.defaultTtlSeconds,
    max_ttl_seconds: entitlement.maxTtlSeconds,
    zone: entitlement.zone,
    revocability: description?.revocability ?? entitlement.weakestRevocability,
    residuals: [...(description?.residuals ?? [])],
  }
}
