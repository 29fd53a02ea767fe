import { z } from '@hono/zod-openapi'
import type { Delegation } from '../../model/delegation.ts'
import type { DelegationWire } from '../../model/wire.ts'
import { intentItemAnswer, intentWire } from './intent.ts'
import { known, rfc3339 } from './known.ts'

const instant = z.iso.datetime()

const delegationAnswer = z
  .strictObject({
    id: z.string(),
    task: z.string().openapi({ description: 'The task that delegated.' }),
    agent: z.string().openapi({ description: 'Who alone may use it.' }),
    tenant: z.string(),
    purpose: z.string().optional(),
    intent: z.array(intentItemAnswer),
    created_at: instant,
    expires_at: instant.openapi({ description: 'Until when its token opens a task, once.' }),
    deadline: instant.openapi({ description: 'The latest that task may last.' }),
    decision: z.string(),
  })
  .openapi('Delegation')

export const delegatedAnswer = z
  .strictObject({
    delegation: delegationAnswer,
    token: z.string().openapi({
      description: 'For `delegation` in POST /v1/tasks by that agent. Sent once; good for one use.',
    }),
  })
  .openapi('Delegated')

export function delegationWire(delegation: Delegation): DelegationWire {
  const { id, task, agent, tenant, purpose, decision } = delegation
  return {
    id,
    task,
    agent,
    tenant,
    ...known({ purpose }),
    intent: intentWire(delegation.intent),
    created_at: rfc3339(delegation.createdAt),
    expires_at: rfc3339(delegation.expiresAt),
    deadline: rfc3339(delegation.deadline),
    decision,
  }
}
