import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import { CONTAINMENTS, type LeaseState } from '../../model/lease.ts'
import type { TaskState } from '../../model/task.ts'
import type { DecisionRecord } from '../store.ts'
import { getTableColumns, getTableName } from './drizzle.ts'
import { LATEST, storedInstant, storedJson } from './stored-json.ts'

/**
 * A row as far as it can be read, for whoever looks at it: what cannot be read is left empty, and
 * the row says so. One bad row hides no other of its list (P13); nothing is decided on one (P3).
 */
export function shown<T extends SQLiteTable, R extends object>(
  table: T,
  row: T['$inferSelect'],
  read: (row: T['$inferSelect']) => R,
): R & { readonly unreadable?: true } {
  const legible = { ...row } as Record<string, unknown> // its columns, which are looked at one by one
  for (const [key, column] of Object.entries(getTableColumns(table))) {
    const value = legible[key]
    if (value === null && !column.notNull) continue
    const blank = key.endsWith('Json')
      ? blankJson(key, value)
      : (blankPlain(key, column, value) ?? blankWord(`${getTableName(table)}.${key}`, value))
    if (blank !== undefined) legible[key] = blank.instead
  }
  const whole = Object.entries(row).every(([key, value]) => legible[key] === value)
  const result = read(legible as T['$inferSelect']) // every column is of its kind now
  return whole ? result : { ...result, unreadable: true }
}

function blankPlain(
  key: string,
  { dataType, notNull }: { readonly dataType: string; readonly notNull: boolean },
  value: unknown,
): { instead: unknown } | undefined {
  if (dataType === 'string') return typeof value === 'string' ? undefined : { instead: '' }
  if (storedInstant(value) !== undefined) return undefined
  return { instead: !notNull ? null : key === 'createdAt' || key === 'at' ? LATEST : 0 }
}

/** What is none of the words a column knows is shown as the one that promises least. */
function blankWord(column: string, value: unknown): { instead: string } | undefined {
  const known = WORDS[column]
  return !known || known.words.some((word) => word === value) ? undefined : known
}

function blankJson(key: string, value: unknown): { instead: string | null } | undefined {
  const { is, blank } = SHAPES[key] ?? MAP
  return is(storedJson(value)) ? undefined : { instead: blank }
}

interface Shape {
  readonly is: (value: unknown) => boolean
  readonly blank: string | null
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isTexts = (value: unknown) =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')
const isMaps = (value: unknown) => Array.isArray(value) && value.every(isMap)
const isItems = (value: unknown) =>
  Array.isArray(value) &&
  value.every((one) => isMap(one) && isTexts(one.actions) && isTexts(one.locations))
const isProof = (value: unknown) => isMap(value) && storedInstant(value.at) !== undefined
const isTouched = (value: unknown) =>
  isMap(value) && [value.zones, value.datasets, value.impact].every(isTexts)

const MAP: Shape = { is: isMap, blank: '{}' }
const TEXTS: Shape = { is: isTexts, blank: '[]' }
const SHAPES: Readonly<Record<string, Shape>> = {
  chainJson: { is: isMaps, blank: null },
  proofJson: { is: isProof, blank: null },
  handleJson: { is: isMap, blank: null },
  impactJson: { is: () => true, blank: null },
  intentJson: { is: isItems, blank: '[]' },
  residualsJson: TEXTS,
  policiesJson: TEXTS,
  railsJson: TEXTS,
  reasonsJson: TEXTS,
  touchedJson: { is: isTouched, blank: '{"zones":[],"datasets":[],"impact":[]}' },
}

const TASK_STATES: readonly TaskState[] = ['open', 'ended']
export const LEASE_STATES: readonly LeaseState[] = [
  'reserved',
  'active',
  'ending',
  'ended',
  'failed',
]
const OUTCOMES: readonly DecisionRecord['outcome'][] = ['permit', 'deny', 'needs-approval']

const WORDS: Readonly<Record<string, { words: readonly string[]; instead: string }>> = {
  'tasks.state': { words: TASK_STATES, instead: 'open' },
  'leases.state': { words: LEASE_STATES, instead: 'ending' },
  'leases.containment': { words: CONTAINMENTS, instead: 'unknown' },
  'decisions.outcome': { words: OUTCOMES, instead: 'deny' },
}
