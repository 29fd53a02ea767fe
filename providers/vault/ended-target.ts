/** What an ending lease was drawn on, and whether Vault's word can prove its end. */
import type { EndOrder } from '../../src/provider.ts'
import { engineOf } from './engine.ts'
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
