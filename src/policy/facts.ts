import type {
  CedarValueJson,
  EntityJson,
  EntityUidJson,
  TypeAndId,
} from '@cedar-policy/cedar-wasm/nodejs'
import type { CedarRequest } from './request.ts'

/**
 * One thing to look up in a request: where (`principal.tenant`) and what of it. `value` is a string
 * or an entity, `set` the members of a set, `lineage` an entity with all its ancestors, `type` an
 * entity's type, `present` only that it is there.
 */
export interface Read {
  readonly what: 'value' | 'set' | 'lineage' | 'type' | 'present'
  readonly path: readonly string[]
}

/** What is found there as comparable text; undefined where Cedar would err or it is another type. */
export type ReadFacts = (read: Read) => readonly string[] | undefined

export function readerOf(request: CedarRequest): ReadFacts {
  const entities = new Map(request.entities.map((entity) => [entityKey(entity.uid), entity]))
  return ({ what, path }) => {
    const value = follow(request, entities, path)
    if (value === undefined) return undefined
    if (what === 'present') return []
    if (what === 'set')
      return Array.isArray(value) ? value.map((each) => keyOf(each) ?? '') : undefined
    if (what === 'value') return listOf(keyOf(value))
    if (!isReference(value)) return undefined
    return what === 'type' ? [value.__entity.type] : lineage(entities, value)
  }
}

/** A string or an entity as text, both told apart; undefined for everything else. */
export function keyOf(value: unknown): string | undefined {
  if (typeof value === 'string') return `"${value}`
  return isReference(value) ? entityKey(value) : undefined
}

export function entityKey(uid: EntityUidJson): string {
  const { type, id } = '__entity' in uid ? uid.__entity : uid
  return `${type}::${id}`
}

function follow(
  request: CedarRequest,
  entities: ReadonlyMap<string, EntityJson>,
  [root, ...attributes]: readonly string[],
): unknown {
  let value: unknown = rootOf(request, root)
  for (const attribute of attributes) {
    const holder = isReference(value) ? entities.get(entityKey(value))?.attrs : value
    if (!isRecord(holder) || !Object.hasOwn(holder, attribute)) return undefined
    value = holder[attribute]
  }
  return value
}

function rootOf(request: CedarRequest, root: string | undefined): CedarValueJson | undefined {
  if (root === 'context') return request.context
  if (root !== 'principal' && root !== 'action' && root !== 'resource') return undefined
  return { __entity: request[root] }
}

/** As the engine sees them: an entity that is not given has no ancestors. */
function lineage(entities: ReadonlyMap<string, EntityJson>, of: EntityUidJson): string[] {
  const found = new Set([entityKey(of)])
  for (const key of found) {
    for (const parent of entities.get(key)?.parents ?? []) found.add(entityKey(parent))
  }
  return [...found]
}

function isReference(value: unknown): value is { __entity: TypeAndId } {
  return typeof value === 'object' && value !== null && '__entity' in value
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function listOf(key: string | undefined): string[] | undefined {
  return key === undefined ? undefined : [key]
}
