import { z } from 'zod'
import { plainText } from '../model/text.ts'

const simple = z.discriminatedUnion('format', [
  z.strictObject({ format: z.literal('account'), uri: plainText() }),
  z.strictObject({ format: z.literal('email'), email: plainText() }),
  z.strictObject({ format: z.literal('iss_sub'), iss: plainText(), sub: plainText() }),
  z.strictObject({ format: z.literal('opaque'), id: plainText() }),
  z.strictObject({ format: z.literal('phone_number'), phone_number: plainText() }),
  z.strictObject({ format: z.literal('did'), url: plainText() }),
  z.strictObject({ format: z.literal('uri'), uri: plainText() }),
  z.strictObject({ format: z.literal('jwt_id'), iss: plainText(), jti: plainText() }),
  z.strictObject({
    format: z.literal('saml_assertion_id'),
    issuer: plainText(),
    assertion_id: plainText(),
  }),
  z.strictObject({
    format: z.literal('ip-addresses'),
    'ip-addresses': z.array(plainText(64)).min(1).max(100),
  }),
])
export type SimpleIdentifier = z.output<typeof simple>

/** A format nobody here knows: kept as it was said, and nobody's name. */
export interface OtherIdentifier {
  readonly format: 'other'
}

export type SubjectIdentifier =
  | SimpleIdentifier
  | OtherIdentifier
  | {
      readonly format: 'aliases'
      readonly identifiers: readonly (SimpleIdentifier | OtherIdentifier)[]
    }
  | {
      readonly format: 'complex'
      readonly members: ReadonlyMap<string, Exclude<SubjectIdentifier, { format: 'complex' }>>
    }

const FORMATS = new Set<unknown>(simple.options.map((one) => one.shape.format.value))
const MAX_MEMBERS = 20

/**
 * Reads a subject identifier (RFC 9493 §3, with the formats of SSF 1.0). Undefined where it is
 * none: no format, a member missing, or one its format does not have. Other claims of an event that
 * are not known are let be, but such a member could say that somebody else is meant.
 */
export function readIdentifier(value: unknown): SubjectIdentifier | undefined {
  const said = objectOf(value)
  if (said?.format !== 'complex') return readFlat(value)
  const { format: _format, ...rest } = said
  const members = new Map<string, Exclude<SubjectIdentifier, { format: 'complex' }>>()
  for (const [name, member] of Object.entries(rest)) {
    const read = readFlat(member)
    if (read === undefined || objectOf(member)?.format === 'complex') return undefined
    members.set(name, read)
  }
  return members.size === 0 || members.size > MAX_MEMBERS
    ? undefined
    : { format: 'complex', members }
}

function readFlat(value: unknown): Exclude<SubjectIdentifier, { format: 'complex' }> | undefined {
  const said = objectOf(value)
  if (said?.format !== 'aliases') return readSimple(value)
  const { identifiers, ...rest } = said
  if (!Array.isArray(identifiers) || Object.keys(rest).length > 1) return undefined
  if (identifiers.length === 0 || identifiers.length > MAX_MEMBERS) return undefined
  const read = identifiers.map(readSimple)
  const whole = read.filter((one) => one !== undefined)
  return whole.length === read.length ? { format: 'aliases', identifiers: whole } : undefined
}

function readSimple(value: unknown): SimpleIdentifier | OtherIdentifier | undefined {
  const format = objectOf(value)?.format
  if (typeof format !== 'string' || format === '' || format.length > 128) return undefined
  // Neither may stand inside of another (RFC 9493 §3.2.8).
  if (format === 'aliases' || format === 'complex') return undefined
  if (!FORMATS.has(format)) return { format: 'other' }
  return simple.safeParse(value).data
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>) : undefined // an object, as just seen
}
