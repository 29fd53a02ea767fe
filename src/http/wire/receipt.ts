import { z } from '@hono/zod-openapi'
import type { AuditPlace, KilledLease, KillFacts, LeaseFacts } from '../../broker/receipt.ts'
import { withoutUndefined } from '../../model/optional.ts'
import type {
  AuditPlaceWire,
  KilledLeaseLine,
  KillReceipt,
  LeaseReceipt,
  ReceiptKeyWire,
  ReceiptWire,
} from '../../model/receipt.ts'
import { killAnswer } from './kill.ts'
import { known, rfc3339, rfc3339OrNone } from './known.ts'
import { leaseAnswer, leaseWire, proofWire } from './lease.ts'
import { selectorAnswer, selectorWire } from './trouble.ts'

const instant = z.iso.datetime()
const shown = leaseAnswer.shape
const place = z
  .strictObject({ seq: z.int(), hash: z.string(), at: instant })
  .openapi({ description: 'An event of the audit log, by its place and its hash.' })

// Not `extend`: in the document that is allOf of two closed objects, which nothing satisfies.
const leaseReceipt = z.strictObject({
  ...shown,
  workload: z.string(),
  policy_hash: z.string(),
  revocability: z.enum(['immediate', 'propagating', 'expiry']),
  end: z
    .strictObject({
      ordered_at: instant,
      ordered_by: z.string().optional(),
      event: place.optional(),
    })
    .optional(),
  exposed_until: instant
    .optional()
    .openapi({ description: 'Absent where the upstream surely minted nothing.' }),
  exposed_seconds: z.int().optional().openapi({
    description:
      'From the order to end it to `exposed_until`: how long it could still work at most.',
  }),
  event: place.optional(),
})

const killReceipt = z.strictObject({
  id: z.string(),
  selector: selectorAnswer,
  tenants: z.array(z.string()).optional().openapi({ description: 'Absent: every tenant.' }),
  reason: z.string(),
  ordered_by: z.string(),
  ordered_at: instant,
  event: place.optional(),
  block: z.string().optional(),
  matched: killAnswer.shape.counts,
  complete: z
    .boolean()
    .openapi({ description: 'False while leases may still wait for their order to end.' }),
  containment: z.record(z.string(), z.int()),
  exposed_until: instant.optional(),
  exposed_seconds: z.int(),
  leases: z.strictObject({
    total: z.int(),
    sha256: z
      .string()
      .openapi({ description: 'Of all lines by lease id, in RFC 8785 canonical JSON.' }),
    lines: z.array(
      z.strictObject({
        lease: z.string(),
        state: shown.state,
        containment: shown.containment,
        proof: shown.proof,
        cause: shown.cause,
        exposed_until: instant,
        ended_at: instant.optional(),
      }),
    ),
  }),
})

const said = {
  iss: z.string(),
  sub: z.string(),
  jti: z.string(),
  iat: z.int(),
  installation: z.string(),
  as_of: instant,
}

const jws = z
  .string()
  .openapi({ description: 'The signed statement, in JWS compact form (RFC 7515 §7.1).' })

export const leaseReceiptAnswer = withoutUndefined<ReceiptWire>(
  z
    .strictObject({ jws, claims: z.strictObject({ ...said, lease: leaseReceipt }) })
    .openapi('LeaseReceipt'),
)

export const killReceiptAnswer = withoutUndefined<ReceiptWire>(
  z
    .strictObject({ jws, claims: z.strictObject({ ...said, kill: killReceipt }) })
    .openapi('KillReceipt'),
)

export const receiptKeysAnswer = z
  .strictObject({
    keys: z.array(
      withoutUndefined<ReceiptKeyWire>(
        z.strictObject({
          ...{ kty: z.string(), crv: z.string(), x: z.string(), y: z.string().optional() },
          ...{ kid: z.string(), alg: z.string(), use: z.literal('sig') },
          iat: z.int().openapi({ description: 'Since when it signs.' }),
          exp: z.int().optional().openapi({ description: 'When it stopped. Absent: it signs.' }),
        }),
      ),
    ),
  })
  .openapi('ReceiptKeys')

export function leaseReceiptWire(facts: LeaseFacts): LeaseReceipt {
  const { lease, ordered, last, reader } = facts
  const { exposed_until, ...rest } = leaseWire(lease)
  const orderedAt = lease.endingSince
  return {
    ...rest,
    workload: lease.workload,
    policy_hash: lease.policyHash,
    revocability: lease.revocability,
    ...(orderedAt !== null && {
      end: {
        ordered_at: rfc3339(orderedAt),
        ...(ordered && { ordered_by: nameFor(reader, ordered.actor), event: placeWire(ordered) }),
      },
    }),
    // What failed never existed: nothing of it could work at any time.
    ...(lease.state !== 'failed' && { exposed_until }),
    ...(lease.state !== 'failed' &&
      orderedAt !== null && { exposed_seconds: seconds(orderedAt, lease.exposedUntil) }),
    ...(last && { event: placeWire(last) }),
  }
}

export function killReceiptWire(facts: KillFacts): KillReceipt {
  const { kill, order, exposedUntil, total, sha256, lines } = facts
  return {
    id: kill.id,
    selector: selectorWire(kill.selector),
    ...(kill.tenants !== null && { tenants: [...kill.tenants] }),
    reason: kill.reason,
    ordered_by: kill.orderedBy,
    ordered_at: rfc3339(kill.createdAt),
    ...(order && { event: placeWire(order) }),
    ...known({ block: kill.block }),
    matched: { ...kill.counts },
    // Of one that cannot be read nobody knows whom it named.
    complete: kill.done && !kill.unreadable,
    containment: { ...facts.containment },
    ...(exposedUntil !== undefined && { exposed_until: rfc3339(exposedUntil) }),
    exposed_seconds: exposedUntil === undefined ? 0 : seconds(kill.createdAt, exposedUntil),
    leases: { total, sha256, lines: lines.map(killedLine) },
  }
}

export function killedLine(lease: KilledLease): KilledLeaseLine {
  return {
    lease: lease.id,
    state: lease.state,
    ...known({ containment: lease.containment, proof: proofWire(lease), cause: lease.cause }),
    exposed_until: rfc3339(lease.exposedUntil),
    ...known({ ended_at: rfc3339OrNone(lease.endedAt) }),
  }
}

/** A task learns what kind of party ended its lease, not the name of a person or a detector (P15). */
function nameFor(reader: LeaseFacts['reader'], actor: AuditPlace['actor']): string {
  return reader === 'operator' || actor.startsWith('agent:') ? actor : actor.replace(/:.*/s, '')
}

function placeWire({ seq, hash, at }: AuditPlace): AuditPlaceWire {
  return { seq, hash, at }
}

function seconds(from: number, to: number): number {
  return Math.max(0, Math.ceil((to - from) / 1000))
}
