/** What an ending lease was drawn on, and whether Vault's word can prove its end. */
import { SKEW_MS } from '../../src/model/lifetime.ts'
import type { EndOrder } from '../../src/provider.ts'
import { engineOf } from './engine.ts'
import { type Handle, parseHandle } from './handle.ts'
import { type Target, targetSchema } from './settings.ts'

/** Undefined where a target is stored that this version does not know. */
export function targetOf({ target }: EndOrder): Target | undefined {
  const parsed = targetSchema.safeParse(target)
  return parsed.success ? parsed.data : undefined
}

/** Vault's having forgotten a lease shows only with some engines that its secret is dead. */
export function provable(order: EndOrder): boolean {
  const target = targetOf(order)
  if (target === undefined) return false
  return target.kind === 'token' || engineOf(target).proof === 'lookup'
}

/**
 * What was made for a lease, as far as it is known. Where more time was committed than that has, the
 * answer to a renewal never came; where renewing is making another secret, there may be one more.
 */
export function knownOf(order: EndOrder): Handle {
  const handle = parseHandle(order.handle)
  const { nativeExpiresAt, latestPossibleExpiry } = order
  const lost = nativeExpiresAt !== null && latestPossibleExpiry > nativeExpiresAt + SKEW_MS
  const target = targetOf(order)
  const same = target?.kind === 'token' || target?.engine === 'database'
  return lost && !same ? { ...handle, complete: false } : handle
}
