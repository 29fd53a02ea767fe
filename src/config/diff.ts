import type { Config } from '../config.ts'
import { formatDuration } from '../duration.ts'

/** What a running broker cannot take over without starting anew. */
const NEEDS_RESTART = /^. (installation|server|store|keys_dir|audit)\b/
const MAX_VALUE = 160

/**
 * What changes from `before` to `after`, one readable line each; empty if nothing does. `+` is an
 * entry that appears, `-` one that goes, `~` a value. Values are what the file holds, in which
 * secrets are only references; hashes of tokens and the text of policies are not shown.
 */
export function diffConfig(before: Config, after: Config): string[] {
  const old = entriesOf(before)
  const next = entriesOf(after)
  const names = [...new Set([...old.keys(), ...next.keys()])]
  return names
    .flatMap((name) => diffEntry(name, old.get(name), next.get(name)))
    .map((line) => (NEEDS_RESTART.test(line) ? `${line} (takes a restart)` : line))
}

/** Named entries of every list, and each single section, by their path. */
function entriesOf(config: Config): Map<string, unknown> {
  const { policies, policiesShadow, providers, signals, secret: _secret, ...sections } = config
  const entries = new Map<string, unknown>()
  const lists = {
    ...sections,
    providers: providers.map(({ definition: _definition, ...provider }) => provider),
    'signals.sources': signals.sources,
    policies: policies.sources,
    policiesShadow: policiesShadow?.sources ?? [],
  }
  for (const [key, value] of Object.entries(lists)) {
    if (!Array.isArray(value)) entries.set(snake(key), value)
    else for (const item of value) entries.set(`${snake(key)}.${nameOf(item)}`, item)
  }
  return entries
}

function nameOf(item: { id?: string; name?: string }): string {
  return item.id ?? item.name ?? ''
}

function diffEntry(name: string, before: unknown, after: unknown): string[] {
  if (before === undefined) return [`+ ${name}`]
  if (after === undefined) return [`- ${name}`]
  const old = leavesOf(name, before)
  const next = leavesOf(name, after)
  const paths = [...new Set([...old.keys(), ...next.keys()])]
  return paths.flatMap((path) => {
    const [was, is] = [old.get(path), next.get(path)]
    if (JSON.stringify(was) === JSON.stringify(is)) return []
    if (/\.(token_sha256|text)$/.test(path)) return [`~ ${path.replace(/\.text$/, '')} changed`]
    return [`~ ${readable(path)}: ${show(path, was)} -> ${show(path, is)}`]
  })
}

/** Every value that is not a mapping, by its path; a list of values is one value. */
function leavesOf(path: string, value: unknown): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return new Map([[path, value]])
  }
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => [...leavesOf(`${path}.${snake(key)}`, inner)]),
  )
}

function show(path: string, value: unknown): string {
  if (value === undefined) return 'unset'
  if (typeof value === 'number' && path.endsWith('_seconds')) return formatDuration(value)
  if (typeof value === 'number' && path.endsWith('_at')) return new Date(value).toISOString()
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text
}

/** The path as the file's author knows it. */
function readable(path: string): string {
  return path
    .replace(/_seconds$/, '')
    .replace(/^(providers\.[^.]+)\.settings/, '$1')
    .replace('weakest_revocability', 'revocability')
}

function snake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
