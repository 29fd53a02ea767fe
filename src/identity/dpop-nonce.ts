import { createHmac } from 'node:crypto'

/** A nonce is handed out for this long and accepted for as long again. */
const NONCE_PERIOD_MS = 120_000

/**
 * The nonce of DPoP proofs at `now` (RFC 9449 §8): it changes with time and is remembered by nobody,
 * because it is derived from a key only the broker has.
 */
export function nonceAt(key: Uint8Array, now: number): string {
  return nonceOf(key, Math.floor(now / NONCE_PERIOD_MS))
}

/** Whether `text` is the nonce of this period or of the one before. */
export function isNonce(key: Uint8Array, text: string, now: number): boolean {
  const period = Math.floor(now / NONCE_PERIOD_MS)
  return text === nonceOf(key, period) || text === nonceOf(key, period - 1)
}

function nonceOf(key: Uint8Array, period: number): string {
  return createHmac('sha256', key).update(`dpop-nonce ${period}`).digest('base64url').slice(0, 22)
}
