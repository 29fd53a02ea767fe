/** Kinds of ids, spelled as their prefix. */
export type IdKind =
  | 'task'
  | 'lease'
  | 'dec'
  | 'dlg'
  | 'appr'
  | 'sig'
  | 'kill'
  | 'block'
  | 'rcpt'
  | 'req'
export type Id<K extends IdKind> = `${K}_${string}`
export type TaskId = Id<'task'>
export type LeaseId = Id<'lease'>
export type DecisionId = Id<'dec'>
export type DelegationId = Id<'dlg'>
export type ApprovalId = Id<'appr'>
export type SignalId = Id<'sig'>
export type KillId = Id<'kill'>
export type BlockId = Id<'block'>

/** Fills a buffer of `bytes` random bytes; only `main.ts` holds the real one. */
export type Random = (bytes: number) => Uint8Array

/** What ids are made from. */
export interface IdSource {
  readonly random: Random
  readonly clock: { now(): number }
}

/** In ASCII order, so that what is made later sorts later. */
const ALPHABET = '234567abcdefghijklmnopqrstuvwxyz'
const BODY = /^[a-z2-7]{20}$/

/**
 * A new id: its kind, then 20 lower-case base32 characters. The first 25 of their 100 bits count
 * sixteenths of a second (they come round every 24 days), the other 75 are random: ids made together
 * stand together in every index, which writes a page for many of them instead of one for each. The
 * idea is that of UUIDv7 (RFC 9562 §5.7). An id is no secret and no authority (P11).
 */
export function newId<K extends IdKind>(kind: K, { random, clock }: IdSource): Id<K> {
  return `${kind}_${instantBody(clock.now())}${randomBody(random)}`
}

export function isId<K extends IdKind>(kind: K, text: string): text is Id<K> {
  return text.startsWith(`${kind}_`) && BODY.test(text.slice(kind.length + 1))
}

/** The name a lease bears at its upstream: `mf-` and the lease's own 20 characters. */
export function upstreamName(lease: LeaseId): string {
  return `mf-${lease.slice('lease_'.length)}`
}

/** The lease that bears `name` at its upstream, also with a generation behind it (`mf-….2`). */
export function leaseOfName(name: string): LeaseId | undefined {
  const body = /^mf-([a-z2-7]{20})(?:\.\d{1,9})?$/.exec(name)?.[1]
  return body === undefined ? undefined : `lease_${body}`
}

/** A bearer token of 256 random bits in base64url, behind a prefix secret scanners can find. */
export function newToken(prefix: 'mfo' | 'mfd' | 'mfg' | 'mfr', random: Random): string {
  return `${prefix}_${secretBody(random)}`
}

/** The token of a task: its own 20 characters, by which it is found, then 256 random bits. */
export function newTaskToken(task: TaskId, random: Random): string {
  return `mft_${task.slice('task_'.length)}${secretBody(random)}`
}

/** The task that a token says it is of; undefined: it is no task token. */
export function taskOfToken(token: string): TaskId | undefined {
  const body = /^mft_([a-z2-7]{20})[A-Za-z0-9_-]{43}$/.exec(token)?.[1]
  return body === undefined ? undefined : `task_${body}`
}

function secretBody(random: Random): string {
  return Buffer.from(random(32)).toString('base64url')
}

const INSTANT_MS = 62.5
const INSTANT_BITS = 25

function instantBody(now: number): string {
  const instant = Math.floor(now / INSTANT_MS) % 2 ** INSTANT_BITS
  let text = ''
  for (let shift = INSTANT_BITS - 5; shift >= 0; shift -= 5) {
    text += ALPHABET[(instant >> shift) & 31]
  }
  return text
}

function randomBody(random: Random): string {
  let text = ''
  for (const byte of random(15)) text += ALPHABET[byte & 31]
  return text
}
