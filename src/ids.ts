/** Kinds of ids, spelled as their prefix. */
export type IdKind = 'task' | 'lease' | 'dec' | 'sig' | 'kill' | 'block' | 'req'
export type Id<K extends IdKind> = `${K}_${string}`
export type TaskId = Id<'task'>
export type LeaseId = Id<'lease'>
export type DecisionId = Id<'dec'>
export type SignalId = Id<'sig'>
export type KillId = Id<'kill'>
export type BlockId = Id<'block'>

/** Fills a buffer of `bytes` random bytes; only `main.ts` holds the real one. */
export type Random = (bytes: number) => Uint8Array

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const BODY = /^[a-z2-7]{20}$/

/** A new id: its kind, then 20 lower-case base32 characters (100 random bits). */
export function newId<K extends IdKind>(kind: K, random: Random): Id<K> {
  return `${kind}_${base32Body(random)}`
}

export function isId<K extends IdKind>(kind: K, text: string): text is Id<K> {
  return text.startsWith(`${kind}_`) && BODY.test(text.slice(kind.length + 1))
}

/** The name a lease bears at its upstream: `mf-` and the lease's own 20 characters. */
export function upstreamName(lease: LeaseId): string {
  return `mf-${lease.slice('lease_'.length)}`
}

/** A bearer token of 256 random bits in base64url, behind a prefix secret scanners can find. */
export function newToken(prefix: 'mft' | 'mfo', random: Random): string {
  return `${prefix}_${Buffer.from(random(32)).toString('base64url')}`
}

function base32Body(random: Random): string {
  let text = ''
  for (const byte of random(20)) text += ALPHABET[byte & 31]
  return text
}
