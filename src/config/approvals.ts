import { z } from 'zod'
import { httpsOrLoopback } from '../identity/url.ts'
import { secretReference } from '../signals/source.ts'
import { webhookSecretProblem } from '../signals/webhook.ts'
import type { Report } from './report.ts'
import { count, duration } from './scalar.ts'
import { findReferences, type ResolveSecret } from './secret-reference.ts'

/** How long a person's yes may take, and last; how they hear of being asked. */
export interface ApprovalsConfig {
  readonly pendingTtlSeconds: number
  /** How long a granted one waits to be used. */
  readonly unusedTtlSeconds: number
  readonly pendingPerAgent: number
  /** However many tasks an agent opens: who is asked too often stops reading. */
  readonly perHourPerAgent: number
  /** After a denial its agent may not ask for the same entitlement for so long. */
  readonly coolDownSeconds: number
  /** Told of each new one; `secret` is a reference. */
  readonly webhook?: { readonly url: string; readonly secret: string } | undefined
}

const approvalsSchema = z
  .strictObject({
    pending_ttl: duration.default(900),
    unused_ttl: duration.default(300),
    pending_per_agent: count(1).default(5),
    per_hour_per_agent: count(1).default(20),
    cool_down: duration.default(600),
    webhook: z
      .strictObject({
        url: z
          .string()
          .refine(
            (text) => httpsOrLoopback(text) !== undefined,
            'must be an https URL without user, password and fragment; http only on this machine',
          ),
        secret: secretReference,
      })
      .optional(),
  })
  .transform(
    (raw): ApprovalsConfig => ({
      pendingTtlSeconds: raw.pending_ttl,
      unusedTtlSeconds: raw.unused_ttl,
      pendingPerAgent: raw.pending_per_agent,
      perHourPerAgent: raw.per_hour_per_agent,
      coolDownSeconds: raw.cool_down,
      ...(raw.webhook && { webhook: raw.webhook }),
    }),
  )

/** Reads `approvals`; the secret its webhook is signed with must resolve, and be one. */
export function parseApprovals(
  report: Report,
  value: unknown,
  { resolveSecret }: { resolveSecret: ResolveSecret },
) {
  const approvals = report.parse(approvalsSchema, value ?? {}, 'approvals')
  const reference = approvals?.webhook?.secret
  if (reference === undefined) return { approvals, references: [] }
  const path = 'approvals.webhook.secret'
  const references = findReferences(report, { value: reference, path, resolveSecret })
  const secret = resolveSecret(reference)
  const problem = secret && webhookSecretProblem(secret)
  if (problem) report.problem(path, `the secret it names ${problem}`)
  return { approvals, references }
}
