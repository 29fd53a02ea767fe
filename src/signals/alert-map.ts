import { createHash } from 'node:crypto'
import { z } from 'zod'
import { duration } from '../model/duration-schema.ts'
import { RISK_LEVELS, type RiskLevel } from '../model/risk.ts'
import type { SelectorFields } from '../model/selector.ts'
import { hiddenCharacter, MAX_TEXT, plainText } from '../model/text.ts'
import { hasUniqueKeys } from '../model/unique-keys.ts'
import { asReason, type Report, within } from './report.ts'
import type { SignalAction } from './signal.ts'

/** Where in a message something stands: keys with dots between, or a list where a key holds dots. */
const place = z.union([
  plainText(256).transform((text) => text.split('.')),
  z.array(plainText(128)).min(1).max(16),
])

/** How a sender's own JSON is read. */
export const alertMapSchema = z.strictObject({
  subject: z
    .strictObject({
      agent: place.optional(),
      task: place.optional(),
      workload: place.optional(),
      tenant: place.optional(),
    })
    .refine((subject) => Object.keys(subject).length > 0, 'must say where a name stands'),
  /** Absent: every message is `HIGH`. */
  level: place.optional(),
  /** What the sender's levels mean, in any case; one that is not here is `HIGH`. */
  levels: z.record(plainText(64), z.enum(RISK_LEVELS)).default({}),
  reason: place.optional(),
  /** What the sender calls this message. */
  id: place.optional(),
  /** Only messages that say one of these there are trouble; others are kept without effect. */
  when: z.strictObject({ at: place, is: z.array(plainText(128)).min(1).max(50) }).optional(),
  /** How long its risk and block stay; absent: until lifted. */
  ttl: duration.optional(),
})
export type AlertMap = z.output<typeof alertMapSchema>

/** Which of the names a message says are known here. */
export interface KnownNames {
  agent(id: string): boolean
  tenant(name: string): boolean
  task(id: string): boolean
  workload(name: string): boolean
}

/** A message of an alerting system, with what the source's map and bounds are. */
export interface Alert {
  readonly text: string
  readonly map: AlertMap
  readonly max_action: SignalAction
  readonly known: KnownNames
  /** Nothing proves who sent it: it may end tasks and agents, and takes no risk back. */
  readonly unsigned: boolean
}

/**
 * Reads a sender's own JSON by the map of its source. Undefined where it is no JSON object. What
 * names nobody known here is kept without effect; a level that is not understood is `HIGH` (P3).
 */
export function readAlert({ text, map, max_action, known, unsigned }: Alert): Report | undefined {
  const value = readObject(text)
  if (value === undefined) return undefined
  const bodyHash = createHash('sha256').update(text).digest('hex')
  const said = nameAt(value, map.id)
  const names = namesIn(value, map)
  const kept = {
    // The same alert goes on to say other things under one id: Splunk's rows, Sentinel's updates.
    messageId: said === undefined ? bodyHash : `${said.slice(0, 128)} ${bodyHash.slice(0, 32)}`,
    bodyHash,
    reason: asReason(valueAt(value, map.reason), 'alert'),
    ...(unsigned ? ({ raisesOnly: true } as const) : {}),
  }
  const nothing = { subjects: [], level: null, action: 'note', ttlSeconds: null } as const
  const because = (why: string): Report => ({ ...kept, ...nothing, about: { subject: names, why } })
  const state = map.when && nameAt(value, map.when.at)
  if (map.when && !map.when.is.some((one) => one === state)) {
    return because(`it says ${state ?? 'nothing'} at ${map.when.at.join('.')}`)
  }
  const fields = Object.entries(names) as [keyof KnownNames, string][] // the keys of map.subject
  const unknown = fields.find(([field, name]) => !known[field](name))
  if (fields.length === 0) return because('it names nobody')
  if (unknown !== undefined) return because(`its ${unknown[0]} is not known here`)
  if (unsigned && names.agent === undefined && names.task === undefined) {
    return because('it is not signed, and names no agent or task')
  }
  const level = levelIn(value, map)
  if (unsigned && level === 'LOW') return because('its level is LOW')
  const action = within(level === 'HIGH' ? 'kill' : 'risk', max_action)
  const about = { subject: names }
  return { ...kept, subjects: [names], level, action, ttlSeconds: map.ttl ?? null, about }
}

function namesIn(value: object, { subject }: AlertMap): SelectorFields {
  const said = Object.entries(subject).flatMap(([field, at]) => {
    const name = nameAt(value, at)
    return name === undefined ? [] : [[field, name]]
  })
  return Object.fromEntries(said)
}

function levelIn(value: object, { level: at, levels }: AlertMap): RiskLevel {
  const said = nameAt(value, at)?.toLowerCase()
  const meant = Object.entries(levels).find(([name]) => name.toLowerCase() === said)
  return meant?.[1] ?? RISK_LEVELS.find((level) => level.toLowerCase() === said) ?? 'HIGH'
}

/** What stands there, if it is one visible name. */
function nameAt(value: object, at: readonly string[] | undefined): string | undefined {
  const found = valueAt(value, at)
  const one = Array.isArray(found) && found.length === 1 ? found[0] : found
  const text = typeof one === 'number' ? String(one) : one
  if (typeof text !== 'string' || text === '' || text.length > MAX_TEXT) return undefined
  return hiddenCharacter(text) === undefined ? text : undefined
}

/** A place may lead into a text that is JSON itself, or a list of tags. */
function valueAt(value: object, at: readonly string[] | undefined): unknown {
  if (at === undefined) return undefined
  let here: unknown = value
  for (const key of at) {
    if (typeof here === 'string') here = readObject(here) ?? tagsIn(here)
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined
    here = (here as Record<string, unknown>)[key] // its own, as just seen
  }
  return here
}

/**
 * `a:1, b:2` as Datadog writes tags; one that is there twice says nothing. Without a pattern: one
 * that skips blanks takes seconds for a text of blanks.
 */
function tagsIn(text: string): object {
  const tags = new Map<string, string | null>()
  for (const tag of text.split(',')) {
    const colon = tag.indexOf(':')
    if (colon < 0) continue
    const key = tag.slice(0, colon).trimStart()
    tags.set(key, tags.has(key) ? null : tag.slice(colon + 1).trimEnd())
  }
  return Object.fromEntries(tags)
}

/** A smuggled second name must not win: no key twice. */
function readObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject && hasUniqueKeys(text, value) ? value : undefined
  } catch {
    return undefined
  }
}
