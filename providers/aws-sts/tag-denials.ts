/**
 * Denials of many sessions by one statement: whoever bears these session tags and was issued before
 * an instant. Every session carries its task, agent and tenant as tags (mint.ts), and its
 * `aws:TokenIssueTime` cannot be changed. The instant lies in the past when it is written and before
 * anything that is still in use was reserved, so nothing that is permitted is ever refused by it.
 */

import type { GroupUse } from '../../src/model/group-use.ts'
import { SKEW_MS } from '../../src/model/lifetime.ts'
import type { EndOrder } from '../../src/provider.ts'
import type { Statement } from './statement.ts'
import { type ReadStatement, saysTheSame, statementsIn } from './statements-read.ts'

/** Sessions that bear all of these tags. */
export interface SessionTags {
  readonly tenant?: string
  readonly agent?: string
  readonly task?: string
}

export interface TagDenial {
  readonly tags: SessionTags
  /** AWS's clock, a whole second: sessions issued before it are refused. */
  readonly before: number
  /** The instant after which it is surely not needed: all those sessions are dead. */
  readonly until: number
}

/** What decides whether a lease's sessions are among those a denial refuses. */
export type Issued = Pick<
  EndOrder,
  'task' | 'agent' | 'tenant' | 'handle' | 'nativeExpiresAt' | 'latestPossibleExpiry'
>

/** As many single entries take about the room of one statement. */
const WORTH = 10
/** A session's issue is known from STS's answer, to the second; this much later nothing is in doubt. */
const ISSUE_MARGIN_MS = 5_000
/** How well we know AWS's clock. */
const PRECISION_MS = 2_000
const KINDS = ['agent', 'task', 'tenant'] as const

/** Whether every session of the lease, of which none is unknown, is refused by the denial. */
export function refusesByTags({ tags, before }: Omit<TagDenial, 'until'>, lease: Issued): boolean {
  const last = lastIssuedAt(lease)
  return last !== undefined && bears(lease, tags) && last + ISSUE_MARGIN_MS <= before
}

/**
 * The statements by which many of the orders can be refused together, widest first: a tenant's, an
 * agent's, a task's. None reaches a lease that is in use; what was issued too late, or nobody knows
 * when, is left to single entries. `until` is that of those it was made for.
 */
export function tagDenialsFor(
  orders: readonly EndOrder[],
  { use, skew }: { readonly use: GroupUse; readonly skew: number },
): readonly TagDenial[] {
  const known = orders.filter((order) => lastIssuedAt(order) !== undefined)
  const denials: TagDenial[] = []
  const take = (rest: readonly EndOrder[], kind: 'tenant' | 'agent' | 'task') => {
    for (const tags of tagSets(rest, kind)) {
      const bearing = rest.filter((order) => bears(order, tags))
      if (kind === 'tenant' && new Set(bearing.map(({ agent }) => agent)).size < 2) continue
      const denial = denialOf(bearing, tags, { use, skew })
      if (denial) denials.push(denial)
    }
    return rest.filter((order) => !denials.some((denial) => refusesByTags(denial, order)))
  }
  take(take(take(known, 'tenant'), 'agent'), 'task')
  return denials
}

export function tagStatement({ tags, before }: Omit<TagDenial, 'until'>): Statement {
  const borne = KINDS.flatMap((kind) => {
    const value = tags[kind]
    return value === undefined ? [] : [[`aws:PrincipalTag/mayfly-${kind}`, value] as const]
  })
  return {
    Effect: 'Deny',
    Action: '*',
    Resource: '*',
    Condition: {
      StringEquals: Object.fromEntries(borne),
      DateLessThan: { 'aws:TokenIssueTime': new Date(before).toISOString().replace('.000Z', 'Z') },
    },
  }
}

/** The statements of this kind in a document, whoever reformatted it; `until` is left open. */
export function tagDenialsIn(text: string): readonly Omit<TagDenial, 'until'>[] {
  return statementsIn(text).flatMap((statement) => readStatement(statement) ?? [])
}

/** One key for the same sessions, whenever they were issued. */
export function keyOfTags(tags: SessionTags): string {
  return JSON.stringify(KINDS.map((kind) => tags[kind] ?? null))
}

/** Undefined: nothing is as far as the youngest that is still in use allows. */
function denialOf(
  orders: readonly EndOrder[],
  tags: SessionTags,
  { use, skew }: { readonly use: GroupUse; readonly skew: number },
): TagDenial | undefined {
  const used = use.holders.filter((holder) => bears(holder, tags)).map(({ since }) => since)
  // What is in use was reserved by a clock that was within the skew of AWS's, or nothing was minted.
  const latest = Math.min(use.asOf + skew - PRECISION_MS, ...used.map((at) => at - SKEW_MS))
  const bounds = orders
    .map((order) => ({ order, before: wholeSecond((lastIssuedAt(order) ?? 0) + ISSUE_MARGIN_MS) }))
    .filter(({ before }) => before <= latest)
  if (bounds.length < WORTH) return undefined
  return {
    tags,
    before: Math.max(...bounds.map(({ before }) => before)),
    until: Math.max(...bounds.map(({ order }) => order.latestPossibleExpiry)),
  }
}

/** When the youngest session of a lease was issued, in AWS's clock; undefined: not surely known. */
function lastIssuedAt({ handle, nativeExpiresAt, latestPossibleExpiry }: Issued) {
  const at = handle?.issued_at
  if (typeof at !== 'number' || nativeExpiresAt === null) return undefined
  // A later expiry than that of what was answered is a renewal's whose answer never came.
  return latestPossibleExpiry > nativeExpiresAt + SKEW_MS ? undefined : at
}

function bears(one: Required<SessionTags>, tags: SessionTags): boolean {
  return KINDS.every((kind) => tags[kind] === undefined || tags[kind] === one[kind])
}

function tagSets(orders: readonly EndOrder[], kind: 'tenant' | 'agent' | 'task'): SessionTags[] {
  const sets = orders.map(({ tenant, agent, task }): SessionTags => {
    if (kind === 'tenant') return { tenant }
    return kind === 'agent' ? { agent, tenant } : { task, tenant }
  })
  return [...new Map(sets.map((tags) => [keyOfTags(tags), tags])).values()]
}

function readStatement(statement: ReadStatement): Omit<TagDenial, 'until'> | undefined {
  const { StringEquals, DateLessThan } = statement.Condition ?? {}
  if (!StringEquals || !DateLessThan) return undefined
  const before = Date.parse(String([DateLessThan['aws:TokenIssueTime']].flat()[0]))
  const tags: SessionTags = Object.fromEntries(
    KINDS.flatMap((kind) => {
      const values = [StringEquals[`aws:PrincipalTag/mayfly-${kind}`] ?? []].flat()
      return values.length === 1 && typeof values[0] === 'string' ? [[kind, values[0]]] : []
    }),
  )
  const read = { tags, before }
  if (!Number.isFinite(before)) return undefined
  // Only what says just what we would have written is what we take it for.
  return saysTheSame(statement, tagStatement(read)) ? read : undefined
}

function wholeSecond(at: number): number {
  return Math.ceil(at / 1_000) * 1_000
}
