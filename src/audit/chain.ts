import { hash } from 'node:crypto'
import canonicalize from 'canonicalize'

/** What the first event of a chain follows. */
export const GENESIS = '0'.repeat(64)

/** The parts of an event that its hash covers, besides the previous hash. */
export interface HashedEvent {
  readonly seq: number
  readonly at: string
  readonly type: string
  readonly actor: string
  readonly tenant?: string | undefined
  readonly task?: string | undefined
  readonly lease?: string | undefined
  readonly data: Readonly<Record<string, unknown>>
}

/** RFC 8785 canonical JSON; throws for what JSON cannot say (a number that is none, a bigint). */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('this value has no JSON')
  return text
}

/**
 * The link of one event: lower-case hex SHA-256 over the previous hash, a line feed, and the event
 * in RFC 8785 canonical JSON.
 */
export function hashEvent(prev: string, event: HashedEvent): string {
  return hashCanonical(prev, event, canonicalJson(event.data))
}

/** The same for an event whose `data` is canonical text already: nothing is written out twice. */
export function hashCanonical(
  prev: string,
  event: Omit<HashedEvent, 'data'>,
  data: string,
): string {
  const { seq, at, type, actor, tenant, task, lease } = event
  // Keys in canonical order; strings are written as JSON.stringify does (RFC 8785 §3.2.2.2).
  const text =
    `{"actor":${JSON.stringify(actor)},"at":${JSON.stringify(at)},"data":${data}` +
    (lease === undefined ? '' : `,"lease":${JSON.stringify(lease)}`) +
    `,"seq":${JSON.stringify(seq)}` +
    (task === undefined ? '' : `,"task":${JSON.stringify(task)}`) +
    (tenant === undefined ? '' : `,"tenant":${JSON.stringify(tenant)}`) +
    `,"type":${JSON.stringify(type)}}`
  return hash('sha256', `${prev}\n${text}`, 'hex')
}
