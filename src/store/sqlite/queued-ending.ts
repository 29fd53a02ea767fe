import type { QueuedEnding } from '../store.ts'
import { type LeaseRow, laneOf, leaseOf } from './rows.ts'

/** A lease as the ending queue and reconciliation see it; undefined: nobody can read its row. */
export function queuedEnding(row: LeaseRow): QueuedEnding | undefined {
  try {
    return queued(row, JSON.parse(row.targetJson))
  } catch {
    return undefined
  }
}

/**
 * A row nobody can read, by what needs no reading: its name is enough to keep it refused, as for a
 * mint of unknown outcome. To leave it out would let it work again.
 */
export function nameOnly(row: LeaseRow): QueuedEnding {
  const unread = { scopeJson: '{}', residualsJson: '[]', proofJson: null, handleJson: null }
  return queued({ ...row, ...unread }, null)
}

function queued(row: LeaseRow, targetSpec: unknown): QueuedEnding {
  const lane = laneOf(row.laneRank) ?? 'cleanup'
  return { lease: leaseOf(row), lane, targetSpec, groupCapacity: row.groupCapacity }
}
