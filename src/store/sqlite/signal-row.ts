import type { KillId, SignalId } from '../../ids.ts'
import { isRiskLevel } from '../../model/risk.ts'
import { isSelector, type Selector } from '../../model/selector.ts'
import type { KillCounts, Signal, SignalAbout } from '../store.ts'
import type * as schema from './schema.ts'
import { LATEST, storedInstant, storedJson } from './stored-json.ts'

const ACTIONS: readonly Signal['action'][] = ['kill', 'block', 'risk', 'note']

/**
 * A signal as far as its row can be read; never throws, so that one bad row harms no other (P13).
 * If any part cannot be, the signal is `unreadable`, counts as HIGH and does not expire (P3). Whom
 * it is about is then what still says so: its effect, else its subject, else nobody by name.
 */
export function signalOf(row: typeof schema.signals.$inferSelect): Signal {
  const nobody = row.action === 'note' && row.level === null && row.effectiveJson === '[]'
  const read = {
    receivedAt: storedInstant(row.receivedAt),
    expiresAt: row.expiresAt === null ? null : storedInstant(row.expiresAt),
    level: row.level === null || isRiskLevel(row.level) ? row.level : undefined,
    subject: nobody ? {} : selector(storedJson(row.subjectJson)),
    effective: nobody ? [] : selectors(storedJson(row.effectiveJson)),
    about: row.aboutJson === null ? null : about(storedJson(row.aboutJson)),
    matched: counts(storedJson(row.matchedJson)),
    action: ACTIONS.find((action) => action === row.action),
    texts: [row.source, row.messageId, row.reason].every((text) => typeof text === 'string')
      ? 'all'
      : undefined,
  }
  const unreadable = Object.values(read).includes(undefined)
  const { subject, effective = subject === undefined ? [] : [subject] } = read
  return {
    id: row.id as SignalId, // made in one place, and the key of this row
    source: String(row.source),
    messageId: String(row.messageId),
    bodyHash: row.bodyHash,
    receivedAt: read.receivedAt ?? LATEST,
    subject: subject ?? {},
    effective,
    level: unreadable ? 'HIGH' : (read.level ?? null),
    action: read.action ?? 'note', // shown, never acted on again
    reason: String(row.reason),
    expiresAt: unreadable ? null : (read.expiresAt ?? null),
    about: read.about ?? null,
    kill: row.kill as KillId | null,
    matched: read.matched ?? { leases: 0, tasks: 0, agents: 0 },
    unreadable,
  }
}

function selector(value: unknown): Selector | undefined {
  return isSelector(value) ? value : undefined
}

function selectors(value: unknown): readonly Selector[] | undefined {
  return Array.isArray(value) && value.length > 0 && value.every(isSelector) ? value : undefined
}

function about(value: unknown): SignalAbout | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? value : undefined
}

function counts(value: unknown): KillCounts | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { leases, tasks, agents } = value as Partial<Record<keyof KillCounts, unknown>> // an object
  const whole = [leases, tasks, agents].every(Number.isSafeInteger)
  return whole ? (value as KillCounts) : undefined // checked in the line above
}
