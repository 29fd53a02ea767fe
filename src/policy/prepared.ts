import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { Slice } from './slice.ts'

/** Parsed policies held over all slices; each takes some 7 KB, so these take some 30 MB. */
const MAX_POLICIES = 4_096

interface Resident {
  readonly id: string
  /** Policies it holds, and one for itself. */
  readonly size: number
}

/**
 * What the engine holds now, the one asked last at the end. Mirrors state of the engine's own: it
 * keeps what is parsed under an id, per thread, for ever, so ids are emptied and used again.
 */
const residents = new Map<string, Resident>()
const spareIds: string[] = []

/**
 * The engine's id for a slice, which is parsed if the engine does not hold it: some 90 µs for each
 * policy. What was asked longest ago makes room; a set too large to be held with others is alone.
 */
export function prepared(setHash: string, slice: Slice): string {
  const key = `${setHash} ${slice.id}`
  const held = residents.get(key)
  residents.delete(key)
  const resident = held ?? { id: freeId(slice), size: sizeOf(slice) }
  if (!held) parse(resident.id, slice)
  residents.set(key, resident)
  return resident.id
}

function freeId(slice: Slice): string {
  let total = sizeOf(slice)
  for (const { size } of residents.values()) total += size
  for (const [key, { id, size }] of residents) {
    if (total <= MAX_POLICIES) break
    residents.delete(key)
    cedar.preparsePolicySet(id, { staticPolicies: {} })
    spareIds.push(id)
    total -= size
  }
  return spareIds.pop() ?? `mayfly-${residents.size}`
}

function parse(id: string, { policies }: Slice): void {
  const staticPolicies = Object.fromEntries(policies.map((policy) => [policy.id, policy.text]))
  const answer = cedar.preparsePolicySet(id, { staticPolicies })
  if (answer.type === 'success') return
  spareIds.push(id)
  throw new Error(answer.errors.map((error) => error.message).join('; '))
}

function sizeOf({ policies }: Slice): number {
  return policies.length + 1
}
