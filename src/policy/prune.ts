import type { CedarValueJson, EntityJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { CedarRequest } from './request.ts'

/**
 * Every word the policies use: attribute names are among them. Reading more into a policy than is
 * there only keeps more of the request.
 */
export function wordsOf(policies: unknown): ReadonlySet<string> {
  const words = new Set<string>()
  const collect = (value: unknown): void => {
    if (typeof value === 'string') words.add(value)
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      words.add(key)
      collect(inner)
    }
  }
  collect(policies)
  return words
}

/**
 * The request without what no policy of the set mentions: attributes whose names none uses, tags
 * if none looks at tags, entities that only a dropped attribute referred to. The engine spends most
 * of a decision reading its input. A policy that did look for something dropped would err, which is
 * a deny; whole records can only be compared with literals, whose keys are words too.
 */
export function prune(request: CedarRequest, words: ReadonlySet<string>): CedarRequest {
  const context = pruneRecord(request.context, words)
  const entities = request.entities.map((entity) => pruneEntity(entity, words))
  const reached = new Set([request.principal, request.resource].map(keyOf))
  reach(context, reached)
  for (const entity of entities) reach(entity.attrs, reached)
  return { ...request, context, entities: entities.filter(({ uid }) => reached.has(keyOf(uid))) }
}

type CedarRecord = Record<string, CedarValueJson>

export function pruneRecord(record: CedarRecord, words: ReadonlySet<string>): CedarRecord {
  const kept: CedarRecord = {}
  for (const key in record) {
    const value = record[key]
    if (value !== undefined && words.has(key)) kept[key] = pruneValue(value, words)
  }
  return kept
}

function pruneValue(value: CedarValueJson, words: ReadonlySet<string>): CedarValueJson {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  // What is neither a reference nor a list is a record.
  return '__entity' in value ? value : pruneRecord(value as CedarRecord, words)
}

export function pruneEntity(entity: EntityJson, words: ReadonlySet<string>): EntityJson {
  const { uid, parents, tags } = entity
  const attrs = pruneRecord(entity.attrs, words)
  const usesTags = words.has('hasTag') || words.has('getTag')
  return usesTags && tags ? { uid, attrs, parents, tags } : { uid, attrs, parents }
}

function reach(value: CedarValueJson, reached: Set<string>): void {
  if (typeof value !== 'object' || value === null) return
  if ('__entity' in value) reached.add(keyOf(value.__entity))
  else for (const inner of Object.values(value)) reach(inner, reached)
}

function keyOf(uid: unknown): string {
  return JSON.stringify(uid)
}
