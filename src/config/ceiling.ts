import type { IntentItem } from '../model/intent.ts'
import { REVOCABILITIES } from '../model/lease.ts'
import type { Description } from '../provider.ts'
import type { ParsedEntitlement } from './entitlement.ts'
import type { ProviderConfig } from './provider.ts'
import type { Report } from './report.ts'

type CeilingCheck = ParsedEntitlement & { readonly provider: ProviderConfig }

/** Checks a ceiling in its provider's own terms: grammar, expressible, residuals, revocability. */
export function checkCeiling(report: Report, parsed: ParsedEntitlement): void {
  const { provider } = parsed
  if (provider === undefined) return
  const check = { ...parsed, provider }
  const before = report.problems.length
  try {
    checkGrammar(report, check)
    if (report.problems.length > before) return
    for (const description of expressible(report, check)) checkHonest(report, check, description)
    checkDatasets(report, check)
  } catch {
    report.problem(`${check.path}.ceiling`, `provider "${check.provider.name}" could not check it`)
  }
}

function checkGrammar(report: Report, { entitlement, provider, path }: CeilingCheck): void {
  const { vocabulary } = provider.definition
  for (const [index, item] of entitlement.ceiling.entries()) {
    const at = `${path}.ceiling[${index}]`
    if (item.type !== vocabulary.type) {
      report.problem(`${at}.type`, `must be "${vocabulary.type}" for provider "${provider.name}"`)
      continue
    }
    const refusal = vocabulary.check(item)
    if (refusal) report.problem(at, refusal.refused)
  }
}

/**
 * Describes the whole ceiling. A refusal of the whole is a problem if some single action on a
 * single location of it is refused as well; otherwise it is only too large for one credential,
 * and requests for parts of it work.
 */
function expressible(report: Report, check: CeilingCheck): Description[] {
  const { entitlement, path } = check
  const whole = describe(check, entitlement.ceiling)
  if (!('refused' in whole)) return [whole]
  const parts: Description[] = []
  for (const [index, item] of entitlement.ceiling.entries()) {
    for (const part of singles(item)) {
      const single = describe(check, [part])
      if ('refused' in single) {
        report.problem(`${path}.ceiling[${index}]`, single.refused)
        return []
      }
      parts.push(single)
    }
  }
  report.warn(
    `${path}.ceiling`,
    `does not fit one credential, only parts can be asked for: ${whole.refused}`,
  )
  return parts.slice(0, 1)
}

function describe({ entitlement, provider }: CeilingCheck, intent: readonly IntentItem[]) {
  const { settings, definition } = provider
  // An upstream that cannot narrow grants exactly the ceiling: here what is asked is the ceiling.
  return definition.describe({ settings, target: entitlement.target, intent, ceiling: intent })
}

function singles(item: IntentItem): IntentItem[] {
  return item.actions.flatMap((action) =>
    item.locations.map((location) => ({ ...item, actions: [action], locations: [location] })),
  )
}

function checkHonest(report: Report, check: CeilingCheck, description: Description): void {
  const { entitlement, path } = check
  const unaccepted = description.residuals.filter((r) => !entitlement.acceptResiduals.includes(r))
  if (unaccepted.length > 0) {
    report.problem(
      `${path}.accept_residuals`,
      `must name what outlives the credential: ${unaccepted.join(', ')}`,
    )
  }
  const { weakestRevocability } = entitlement
  const weaker =
    REVOCABILITIES.indexOf(description.revocability) > REVOCABILITIES.indexOf(weakestRevocability)
  if (weaker) {
    report.problem(
      `${path}.revocability`,
      `this target is only "${description.revocability}", weaker than "${weakestRevocability}": write revocability: ${description.revocability} to accept that`,
    )
  }
  if (entitlement.maxTtlSeconds > description.lifetime.maxSeconds) {
    report.warn(
      `${path}.max_ttl`,
      `the provider gives at most ${description.lifetime.maxSeconds} seconds at a time`,
    )
  }
}

/** A dataset that meets nothing of the ceiling protects nothing: most likely a typing error. */
function checkDatasets(report: Report, { entitlement, provider, path }: CeilingCheck): void {
  const { vocabulary } = provider.definition
  const ceiling = entitlement.ceiling.flatMap((item) => item.locations)
  for (const [index, dataset] of entitlement.datasets.entries()) {
    const meets = dataset.locations.some((l) => ceiling.some((c) => vocabulary.overlaps(c, l)))
    if (!meets) {
      report.warn(
        `${path}.datasets[${index}]`,
        `"${dataset.name}" meets no location of the ceiling`,
      )
    }
  }
}
