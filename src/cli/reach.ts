import { describeSelector } from '../model/selector.ts'
import type { BlockWire } from '../model/wire.ts'

/**
 * Whom a kill or block names, within the tenants its author may act for: `everything within tenant
 * a` is not everything. Empty where a damaged row names nobody.
 */
export function reachText({ selector, tenants }: Pick<BlockWire, 'selector' | 'tenants'>): string {
  const named = describeSelector(selector)
  const alone = tenants?.length === 1 && 'tenant' in selector && selector.tenant === tenants[0]
  if (named === '' || tenants === undefined || alone) return named
  return `${named} within tenant ${tenants.join(', ')}`
}
