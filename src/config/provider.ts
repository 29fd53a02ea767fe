import { configuredName as name } from '../model/name.ts'
import type { AnyProviderDefinition } from '../provider.ts'
import type { Report } from './report.ts'
import { findReferences, type ResolveSecret } from './secret-reference.ts'

/** One upstream: an instance of a provider type with its own settings. */
export interface ProviderConfig {
  /** The instance's key under `providers`. */
  readonly name: string
  readonly type: string
  /** As parsed by the definition. */
  readonly settings: unknown
  readonly definition: AnyProviderDefinition
}

export interface ProviderSources {
  readonly definitions: ReadonlyMap<string, AnyProviderDefinition>
  /** Every type there is, for the message about an unknown one. */
  readonly knownTypes: readonly string[]
  readonly resolveSecret: ResolveSecret
}

export interface ParsedProviders {
  readonly providers: ProviderConfig[]
  /** Names that were written, also of those that did not parse: referring to one is no mistake. */
  readonly names: ReadonlySet<string>
  readonly references: readonly string[]
}

/** Reads `providers`; each definition checks its own settings, this only walks the list. */
export function parseProviders(
  report: Report,
  value: unknown,
  sources: ProviderSources,
): ParsedProviders {
  const entries = mappingEntries(report, value)
  const references: string[] = []
  const providers = entries.flatMap(([key, raw]) => {
    const path = `providers.${key}`
    if (report.parse(name, key, path) === undefined) return []
    const parsed = parseOne(report, { key, raw, path, sources })
    const { resolveSecret } = sources
    references.push(...findReferences(report, { value: raw, path, resolveSecret }))
    return parsed
  })
  return { providers, names: new Set(entries.map(([key]) => key)), references }
}

function parseOne(
  report: Report,
  entry: { key: string; raw: unknown; path: string; sources: ProviderSources },
): ProviderConfig[] {
  const { key, raw, path, sources } = entry
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    report.problem(path, 'must be a mapping with a type')
    return []
  }
  const { type } = raw as Record<string, unknown> // a mapping, checked above
  const definition = typeof type === 'string' ? sources.definitions.get(type) : undefined
  if (typeof type !== 'string' || !definition) {
    const known = sources.knownTypes.join(', ')
    report.problem(`${path}.type`, `must be a known provider type: ${known}`)
    return []
  }
  const settings = report.parse(definition.settings, raw, path)
  return settings === undefined ? [] : [{ name: key, type, settings, definition }]
}

function mappingEntries(report: Report, value: unknown): [string, unknown][] {
  if (value === undefined || value === null) return []
  if (typeof value === 'object' && !Array.isArray(value)) return Object.entries(value)
  report.problem('providers', 'must be a mapping of names to settings')
  return []
}
