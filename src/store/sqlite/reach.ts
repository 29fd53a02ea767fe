import { isSelector, matches, type Selector, type SelectorSubject } from '../../model/selector.ts'
import { storedJson } from './stored-json.ts'

/** Whom a kill or block names. */
export interface Reach {
  readonly selector: Selector
  /** Null: those of every tenant. */
  readonly tenants: readonly string[] | null
  /** Some part cannot be read: within `tenants`, as far as those are known, it names everybody. */
  readonly unreadable: boolean
}

interface ReachRow {
  readonly selectorJson: string
  readonly tenantsJson: string | null
}

export function reachOf({ selectorJson, tenantsJson }: ReachRow): Reach {
  const selector = storedJson(selectorJson)
  const tenants = tenantsJson === null ? null : namesOf(storedJson(tenantsJson))
  return {
    selector: isSelector(selector) ? selector : {},
    tenants: tenants ?? null,
    unreadable: tenants === undefined || !isSelector(selector),
  }
}

/** Whether a kill or block names `subject`. One that cannot be read might: it does (P3). */
export function names(row: ReachRow, subject: SelectorSubject): boolean {
  return namesBy(reachOf(row), subject)
}

/** The same of one that was read before. */
export function namesBy(
  { selector, tenants, unreadable }: Reach,
  subject: SelectorSubject,
): boolean {
  if (tenants !== null && !tenants.includes(subject.tenant ?? '')) return false
  return unreadable || matches(selector, subject)
}

function namesOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((name) => typeof name === 'string') ? value : undefined
}
