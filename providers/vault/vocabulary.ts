/** What an intent item says in Vault's language: capabilities on API paths, under parameters. */
import type { Impact, IntentItem, Refusal, Vocabulary } from '../../src/model/intent.ts'
import { covers, overlaps, parsePath, pathProblem } from './path-pattern.ts'

export const CAPABILITIES = ['read', 'list', 'create', 'update', 'delete'] as const

/** Paths that hand out credentials, wherever their engine is mounted. */
const CREDENTIAL_SEGMENTS = new Set([
  'creds',
  'static-creds',
  'creds-sts',
  'sts',
  'issue',
  'issuer',
  'sign',
  'sign-verbatim',
  'login',
  'token',
  'key',
  'export',
  'generate',
])
const GOVERNING = new Set(['auth', 'sys', 'identity'])
/** How a parameter may be named and valued; `*` in a value would be a wildcard to Vault. */
const PARAMETER_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/
const PARAMETER_VALUE = /^[A-Za-z0-9 ._~@:=,+/-]{1,256}$/

export const vaultVocabulary: Vocabulary = {
  type: 'vault',
  check,
  coversAction: (ceiling, request) => ceiling === request,
  coversLocation: (ceiling, request) =>
    wellFormed(ceiling, request) && covers(parsePath(ceiling), parsePath(request)),
  coversConstraints,
  overlaps: (a, b) => !wellFormed(a, b) || overlaps(parsePath(a), parsePath(b)),
  impactOf: (action, locations) => locations.flatMap((one) => impactAt(action, one)),
}

function check(item: IntentItem): Refusal | undefined {
  if (item.actions.length === 0) return { refused: 'actions is empty: name at least one' }
  if (item.locations.length === 0) return { refused: 'locations is empty: name at least one' }
  for (const action of item.actions) {
    if (!CAPABILITIES.some((known) => known === action)) {
      return { refused: `action "${printable(action)}" is none of ${CAPABILITIES.join(', ')}` }
    }
  }
  for (const location of item.locations) {
    const problem = pathProblem(location)
    if (problem) return { refused: `location "${printable(location)}" ${problem}` }
    if (item.actions.includes('list') && !/[/*]$/.test(location)) {
      return {
        refused: `location "${location}" must end with / or * to be listed: vault lists folders`,
      }
    }
  }
  return checkConstraints(item)
}

function checkConstraints({ actions, constraints }: IntentItem): Refusal | undefined {
  const entries = Object.entries(constraints ?? {})
  if (entries.length === 0) return undefined
  const unchecked = actions.find((action) => action === 'list' || action === 'delete')
  if (unchecked) {
    return { refused: `constraints cannot hold for ${unchecked}: vault checks no parameters there` }
  }
  for (const [name, values] of entries) {
    if (!PARAMETER_NAME.test(name)) {
      return {
        refused: `parameter "${printable(name)}" must be lower-case letters, digits, _ or -`,
      }
    }
    const wrong = values.find((value) => !PARAMETER_VALUE.test(value))
    if (wrong !== undefined) {
      return {
        refused: `a value of parameter "${name}" holds characters a policy cannot say exactly: "${printable(wrong)}"`,
      }
    }
  }
  return undefined
}

/**
 * A parameter with values must be given, with one of them; one with an empty list may be given
 * with any; any other must not be given.
 */
function coversConstraints(
  ceiling: IntentItem['constraints'],
  request: IntentItem['constraints'],
): boolean {
  const allowed = Object.entries(ceiling ?? {})
  if (allowed.length === 0) return true
  const asked = new Map(Object.entries(request ?? {}))
  if (asked.size === 0) return false
  const demanded = allowed.filter(([, values]) => values.length > 0)
  if (!demanded.every(([name]) => (asked.get(name)?.length ?? 0) > 0)) return false
  return [...asked].every(([name, values]) => {
    const known = allowed.find(([candidate]) => candidate === name)?.[1]
    if (!known) return false
    return known.length === 0 || values.every((value) => known.includes(value))
  })
}

function impactAt(action: string, location: string): readonly Impact[] {
  const { segments, open } = parsePath(location)
  const impacts = new Set<Impact>()
  const [first = ''] = segments
  if (GOVERNING.has(first) || first === '+' || (open && segments.length === 1)) {
    impacts.add('privilege-escalation')
  }
  if (segments.some((segment, i) => i > 0 && namesCredentials(segment, open, i, segments.length))) {
    impacts.add('credential-access')
  }
  if (action === 'update' || action === 'delete') impacts.add('destructive-write')
  const reads = action === 'list' || (action === 'read' && open)
  if (reads && isBroad(open ? segments.slice(0, -1) : segments)) impacts.add('bulk-read')
  return [...impacts]
}

/** A wildcard right below the mount could be any of them. */
function namesCredentials(segment: string, open: boolean, at: number, length: number): boolean {
  if (CREDENTIAL_SEGMENTS.has(segment)) return true
  if (at !== 1) return false
  if (segment === '+') return true
  return open && at === length - 1 && [...CREDENTIAL_SEGMENTS].some((s) => s.startsWith(segment))
}

/** Broad: a whole mount, or a whole side of a version 2 key/value mount. */
function isBroad(segments: readonly string[]): boolean {
  const wildcard = segments.indexOf('+')
  const fixed = segments.slice(0, wildcard < 0 ? undefined : wildcard).filter((s) => s !== '')
  const depth = fixed[1] === 'data' || fixed[1] === 'metadata' ? 3 : 2
  return fixed.length < depth
}

function wellFormed(...locations: readonly string[]): boolean {
  return locations.every((location) => pathProblem(location) === undefined)
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)
}
