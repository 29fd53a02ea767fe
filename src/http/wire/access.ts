import { z } from '@hono/zod-openapi'
import { SEMANTICS, type Unreadable } from '../../broker/evaluate-all.ts'
import type { ActRefusal, Evaluation, Verdict } from '../../broker/evaluation.ts'
import { constraintsSchema } from '../../intent/item-schema.ts'
import { plainText } from '../../model/text.ts'
import { authZenError } from '../authzen-error.ts'
import { invalid } from '../invalid.ts'
import { known } from './known.ts'

/** As many as fit into a body, and as one commit should hold. */
const MAX_EVALUATIONS = 50

// AuthZEN 1.0 has both sides ignore members they do not know: the objects here are not strict.

const subject = z.object({
  type: plainText(128).openapi({ description: '`task`, `task_token` or `lease`.' }),
  id: plainText(128).openapi({
    description:
      'The id of the task or lease; for `task_token` the SHA-256, in lower-case hex, of the task token that the agent showed.',
  }),
})
const action = z.object({
  name: plainText().openapi({ description: 'As in an intent item, for example `s3:GetObject`.' }),
  properties: z
    .object({
      constraints: constraintsSchema.optional().openapi({ description: 'As in an intent item.' }),
    })
    .optional(),
})
const resource = z.object({
  type: plainText(64).openapi({ description: 'As in an intent item, for example `aws`.' }),
  id: plainText().openapi({ description: 'A location, as in an intent item.' }),
  properties: z
    .object({
      entitlement: plainText(128).optional().openapi({
        description:
          'Only this one counts. Absent: every entitlement of the task’s intent that covers it must allow it.',
      }),
    })
    .optional(),
})
const context = z.record(z.string(), z.unknown()).openapi({ description: 'Not looked at.' })

const entry = z.object({ subject, action, resource, context: context.optional() })

export const evaluationBody = entry.openapi('Evaluation', {
  example: {
    subject: { type: 'task', id: 'task_7gs3k2mqvpd5xw4nbcta' },
    action: { name: 's3:DeleteObject' },
    resource: { type: 'aws', id: 'arn:aws:s3:::tickets/4711/mail.txt' },
  },
})

/** A default may lack what every entry brings along. */
const part = z.record(z.string(), z.unknown())

export const evaluationsBody = z
  .object({
    subject: part.optional(),
    action: part.optional(),
    resource: part.optional(),
    context: context.optional(),
    evaluations: z
      .array(z.unknown())
      .max(MAX_EVALUATIONS, `must hold at most ${MAX_EVALUATIONS} entries`)
      .optional()
      .openapi({ description: 'Each an Evaluation; what it leaves out is taken from above.' }),
    options: z.object({ evaluations_semantic: z.enum(SEMANTICS).optional() }).optional(),
  })
  .openapi('Evaluations')

export type EvaluationsBody = z.output<typeof evaluationsBody>

const REASONS = [
  'unknown_subject',
  'task_ended',
  'lease_ended',
  'outside_intent',
  'policy_denied',
  'blocked',
  'limit_reached',
  'unavailable',
] as const

export const verdictAnswer = z
  .strictObject({
    decision: z.boolean(),
    context: z
      .strictObject({
        evaluation_id: z.string().optional().openapi({
          description: 'The decision, for `mayfly explain`.',
        }),
        key: z.string().optional().openapi({
          description:
            'The key that the task is bound to, as in the task: only who proves it is the task.',
        }),
        reason: z.enum(REASONS).optional(),
        retry_after: z.int().optional().openapi({ description: 'Seconds.' }),
        error: z.strictObject({ status: z.int(), message: z.string() }).optional(),
      })
      .optional(),
  })
  .openapi('EvaluationAnswer')

export const verdictsAnswer = z.union([
  z.strictObject({ evaluations: z.array(verdictAnswer) }).openapi('EvaluationsAnswer'),
  verdictAnswer,
])

export function evaluationOf({ subject, action, resource }: z.output<typeof entry>): Evaluation {
  return {
    subject: { type: subject.type, id: subject.id },
    action: action.name,
    constraints: action.properties?.constraints,
    resource: {
      type: resource.type,
      location: resource.id,
      entitlement: resource.properties?.entitlement,
    },
  }
}

/**
 * The entries of a batch. A member of an entry replaces the default as a whole, and never inherits
 * its properties; only a `type` or `id` that it lacks is taken from there.
 */
export function entriesOf(
  { subject, action, resource }: EvaluationsBody,
  evaluations: readonly unknown[],
): (Evaluation | Unreadable)[] {
  return evaluations.map((one) => {
    const own = part.safeParse(one)
    if (!own.success) return { unreadable: 'an entry must be an object' }
    const read = entry.safeParse({
      ...own.data,
      subject: over(subject, own.data.subject),
      action: own.data.action ?? action,
      resource: over(resource, own.data.resource),
    })
    return read.success
      ? evaluationOf(read.data)
      : { unreadable: authZenError(invalid(read.error)) }
  })
}

function over(fallback: z.output<typeof part> | undefined, given: unknown): unknown {
  if (given === undefined) return fallback
  const own = part.safeParse(given)
  if (!own.success) return given
  const { type, id } = fallback ?? {}
  return { ...known({ type, id }), ...own.data }
}

export function verdictWire(verdict: Verdict | Unreadable): z.output<typeof verdictAnswer> {
  if ('unreadable' in verdict) {
    return { decision: false, context: { error: { status: 400, message: verdict.unreadable } } }
  }
  if (verdict.permitted) {
    const { decision: evaluation_id, key } = verdict
    return { decision: true, context: { evaluation_id, ...known({ key }) } }
  }
  const { reason, decision, retryAfterSeconds } = verdict
  return {
    decision: false,
    context: {
      reason: REASON_WIRE[reason],
      ...known({ evaluation_id: decision, retry_after: retryAfterSeconds }),
    },
  }
}

const REASON_WIRE: Readonly<Record<ActRefusal, (typeof REASONS)[number]>> = {
  'unknown-subject': 'unknown_subject',
  'task-ended': 'task_ended',
  'lease-ended': 'lease_ended',
  'outside-intent': 'outside_intent',
  'policy-denied': 'policy_denied',
  blocked: 'blocked',
  'limit-reached': 'limit_reached',
  unavailable: 'unavailable',
}
