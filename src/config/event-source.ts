import { z } from 'zod'
import { httpsOrLoopback } from '../identity/url.ts'
import { duration } from '../model/duration-schema.ts'
import { RISK_LEVELS } from '../model/risk.ts'
import { plainText } from '../model/text.ts'
import { TROUBLE_NAMES } from '../signals/event-types.ts'
import { SIGNAL_ACTIONS } from '../signals/signal.ts'
import { secretReference, sourceFields } from '../signals/source.ts'
import { readIdentifier } from '../signals/subject-identifier.ts'

/** Asymmetric only, as for every issuer. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA']

const keyUrl = z
  .string()
  .max(2_048)
  .refine((text) => httpsOrLoopback(text) !== undefined, {
    error: 'must be an https URL (http is accepted on loopback only)',
  })

const change = z.strictObject({
  level: z.enum(RISK_LEVELS).optional(),
  action: z.enum([...SIGNAL_ACTIONS, 'note']).optional(),
  ttl: duration.optional(),
})

const name = plainText().optional()

/** A transmitter of security events (SSF 1.0) that pushes them (RFC 8935). */
export const eventSourceSchema = z.strictObject({
  ...sourceFields,
  type: z.literal('ssf'),
  /** Must equal the events' `iss` to the character. */
  issuer: keyUrl,
  /** Absent: found in the transmitter's metadata, on the issuer's own host. */
  jwks_uri: keyUrl.optional(),
  /** Must be in the events' `aud`. */
  audience: plainText(),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(['RS256', 'ES256']),
  /** The Authorization header it was told to send, word for word. */
  authorization: secretReference.optional(),
  /** Older ones are refused; longer than any outage a transmitter resends after. */
  max_age: duration.default(86_400),
  /** By the last part of their event type: instead of what they mean by default. */
  events: z.partialRecord(z.enum(TROUBLE_NAMES), change).default({}),
  /** What identifiers mean that say nothing here by themselves. */
  subjects: z
    .array(
      z
        .strictObject({
          identifier: z.record(z.string(), z.unknown()).refine(
            (said) => {
              const format = readIdentifier(said)?.format
              return format !== undefined && !['other', 'complex', 'aliases'].includes(format)
            },
            { error: 'must be one subject identifier of RFC 9493, such as {format, email}' },
          ),
          agent: name,
          workload: name,
          tenant: name,
        })
        .refine(({ agent, workload, tenant }) => agent ?? workload ?? tenant, {
          error: 'must name agent, workload or tenant',
        }),
    )
    .max(10_000)
    .default([]),
  /** The transmitter's critical_subject_members: an event with one that is not known has no effect. */
  critical_members: z.array(plainText(64)).max(20).default([]),
  /** What a verification that was asked for has to say. */
  verification_state: plainText(256).optional(),
})
export type EventSource = z.output<typeof eventSourceSchema>
