import { createHash } from 'node:crypto'
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

/**
 * The link of one event: lower-case hex SHA-256 over the previous hash, a line feed, and the event
 * in RFC 8785 canonical JSON.
 */
export function hashEvent(prev: string, event: HashedEvent): string {
  const { seq, at, type, actor, tenant, task, lease, data } = event
  const text = canonicalize({
    seq,
    at,
    type,
    actor,
    ...(tenant === undefined ? {} : { tenant }),
    ...(task === undefined ? {} : { task }),
    ...(lease === undefined ? {} : { lease }),
    data,
  })
  return createHash('sha256').update(`${prev}\n${text}`).digest('hex')
}
