import type { ParsedEntitlement } from './entitlement.ts'
import type { Report } from './report.ts'

/** Sessions of one role can reach what it holds for another tenant; sharing must be said. */
export function refuseSharedTargets(report: Report, parsed: readonly ParsedEntitlement[]): void {
  const users = new Map<string, { tenants: Set<string>; path: string }>()
  for (const { entitlement, provider, path } of parsed) {
    const exclusive = provider?.definition.oneTenantOf?.(entitlement.target)
    if (exclusive === undefined) continue
    const key = JSON.stringify([entitlement.provider, exclusive])
    const user = users.get(key) ?? { tenants: new Set<string>(), path }
    users.set(key, user)
    const before = user.tenants.size
    for (const tenant of entitlement.tenants) user.tenants.add(tenant)
    if (user.tenants.size > 1 && user.tenants.size > before) {
      report.problem(
        `${path}.target`,
        `${exclusive} would serve several tenants (${[...user.tenants].join(', ')}): give each its own, or write shared: true`,
      )
    }
  }
}

/**
 * An account of a pool belongs to one lease at a time, and switching it off ends that lease: it
 * must be in the pool of one provider instance only, and shared by none.
 */
export function refuseSharedAccounts(report: Report, parsed: readonly ParsedEntitlement[]): void {
  const holders = new Map<string, string>()
  for (const { entitlement, provider, path } of parsed) {
    const accounts = provider?.definition.accountsOf?.(entitlement.target)
    for (const [kind, names] of Object.entries(accounts ?? {})) {
      const holder = kind === 'own' ? `the pool of "${entitlement.provider}"` : 'a shared target'
      for (const name of names) {
        const before = holders.get(name)
        holders.set(name, before ?? holder)
        if (before === undefined || before === holder) continue
        report.problem(
          `${path}.target`,
          `${name} is in ${before} already; ending a lease there would reach this one`,
        )
      }
    }
  }
}
