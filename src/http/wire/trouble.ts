import { z } from '@hono/zod-openapi'
import type { Block, Signal } from '../../broker/read-trouble.ts'
import { RISK_LEVELS } from '../../model/risk.ts'
import { SELECTOR_FIELDS, type Selector } from '../../model/selector.ts'
import type { BlockWire, RiskWire, SelectorWire, SignalWire } from '../../model/wire.ts'
import { known, rfc3339, rfc3339OrNone } from './known.ts'

const instant = z.iso.datetime()
const level = z.enum(RISK_LEVELS)
export const countsAnswer = { leases: z.int(), tasks: z.int(), agents: z.int() }

export const selectorAnswer = z
  .strictObject({
    lease: z.string().optional(),
    task: z.string().optional(),
    agent: z.string().optional(),
    workload: z.string().optional(),
    tenant: z.string().optional(),
    entitlement: z.string().optional(),
    provider: z.string().optional(),
    target: z.string().optional(),
    issuer: z.string().optional(),
    policy_hash: z.string().optional(),
    all: z.literal(true).optional(),
  })
  .openapi('Selector')

/** How far the author of a kill or block may reach. */
export const tenantsAnswer = z.array(z.string()).optional().openapi({
  description: 'It reaches no further than these. Absent: every tenant.',
})

export const blockAnswer = z
  .strictObject({
    id: z.string(),
    selector: selectorAnswer,
    tenants: tenantsAnswer,
    reason: z.string(),
    created_by: z.string(),
    created_at: instant,
    expires_at: instant.optional(),
    lifted_at: instant.optional(),
    lifted_by: z.string().optional(),
    unreadable: z.literal(true).optional(),
  })
  .openapi('Block')

export const signalLevel = level

export const signalAbout = z
  .strictObject({
    event: z.string().optional(),
    subject: z.unknown().optional(),
    why: z.string().optional(),
  })
  .openapi({ description: 'In its sender’s words, and why it has no effect.' })

export const signalAnswer = z
  .strictObject({
    id: z.string(),
    source: z.string(),
    message_id: z.string(),
    received_at: instant,
    subject: selectorAnswer,
    level: level.optional(),
    action: z.string(),
    reason: z.string(),
    expires_at: instant.optional(),
    about: signalAbout.optional(),
    kill: z.string().optional(),
    matched: z.strictObject(countsAnswer),
    unreadable: z.literal(true).optional(),
  })
  .openapi('Signal')

export const riskAnswer = z
  .strictObject({
    signal: z.string(),
    subject: selectorAnswer,
    level,
    source: z.string(),
    reason: z.string(),
    since: instant,
    expires_at: instant.optional(),
    unreadable: z.literal(true).optional(),
  })
  .openapi('Risk')

export function blockWire(block: Block): BlockWire {
  return {
    id: block.id,
    selector: selectorWire(block.selector),
    ...tenantsWire(block.tenants),
    reason: block.reason,
    created_by: block.createdBy,
    created_at: rfc3339(block.createdAt),
    ...known({
      expires_at: rfc3339OrNone(block.expiresAt),
      lifted_at: rfc3339OrNone(block.liftedAt),
      lifted_by: block.liftedBy,
    }),
    ...unreadable(block),
  }
}

export function signalWire(signal: Signal): SignalWire {
  return {
    id: signal.id,
    source: signal.source,
    message_id: signal.messageId,
    received_at: rfc3339(signal.receivedAt),
    subject: selectorWire(signal.subject),
    ...known({ level: signal.level }),
    action: signal.action,
    reason: signal.reason,
    ...known({ expires_at: rfc3339OrNone(signal.expiresAt), kill: signal.kill }),
    ...known({ about: signal.about }),
    matched: { ...signal.matched },
    ...unreadable(signal),
  }
}

/** One believed risk; a signal that cannot be read counts as HIGH (P3). */
export function riskWire(signal: Signal): RiskWire {
  return {
    signal: signal.id,
    subject: selectorWire(signal.subject),
    level: signal.level ?? 'HIGH',
    source: signal.source,
    reason: signal.reason,
    since: rfc3339(signal.receivedAt),
    ...known({ expires_at: rfc3339OrNone(signal.expiresAt) }),
    ...unreadable(signal),
  }
}

/** Said only where it is so; a subject that cannot be read names nothing. */
function unreadable(row: Signal | Block): { unreadable?: true } {
  return row.unreadable ? { unreadable: true } : {}
}

export function tenantsWire(tenants: readonly string[] | null): { tenants?: string[] } {
  return tenants === null ? {} : { tenants: [...tenants] }
}

export function selectorWire(selector: Selector): SelectorWire {
  if ('all' in selector) return { all: true }
  return Object.fromEntries(
    SELECTOR_FIELDS.flatMap((field) => {
      const value = selector[field]
      return value === undefined ? [] : [[field, value]]
    }),
  )
}
