import type { AuditType } from '../../audit/events.ts'
import type { DecisionRecord, DecisionStore, NewDecision, ShadowDifference } from '../store.ts'
import type { GroupCommit, Tx } from './commit.ts'
import type { Db } from './database.ts'
import { eq, sql } from './drizzle.ts'
import { shown } from './legible.ts'
import { among, beforeId, pageOf } from './paging.ts'
import { policySetTable } from './policy-sets.ts'
import { decisionOf } from './rows.ts'
import { decisions } from './schema.ts'
import { recordShadow, SHADOW_DIFFERS, shadowsOf } from './shadow.ts'
import { insertStatement, param, prepared } from './statement.ts'

/** Writes a decision, with its audit event, inside the caller's transaction. */
export type RecordDecision = (tx: Tx, decision: NewDecision, lease: string | null) => void

export function recordDecision(db: Db): RecordDecision {
  const insert = insertStatement(db, decisions)
  return (tx, decision, lease) => {
    insert({
      id: decision.id,
      at: decision.at,
      action: decision.action,
      outcome: decision.outcome,
      agent: decision.agent,
      tenant: decision.tenant,
      workload: decision.workload,
      task: decision.task,
      entitlement: decision.entitlement,
      chainJson: decision.chain?.length ? JSON.stringify(decision.chain) : null,
      lease,
      policiesJson: JSON.stringify(decision.policies),
      railsJson: JSON.stringify(decision.rails),
      reasonsJson: JSON.stringify(decision.reasons),
      policyHash: decision.policyHash,
      requestJson: JSON.stringify(decision.request),
    })
    const type = eventType(decision, lease)
    if (type === undefined) return
    tx.event({
      type,
      actor: decision.by ?? `agent:${decision.agent}`,
      tenant: decision.tenant,
      ...(decision.task === null ? {} : { task: decision.task }),
      ...(lease === null ? {} : { lease }),
      data: decided(decision),
    })
  }
}

/** A decision as the events it leads to tell it. */
export function decided(decision: NewDecision) {
  return {
    decision: decision.id,
    outcome: decision.outcome,
    policies: decision.policies,
    rails: decision.rails,
    policy_hash: decision.policyHash,
    ...(decision.entitlement === null ? {} : { entitlement: decision.entitlement }),
  }
}

/** What policies permitted and a rail of the store refuses: the rail is what determined it. */
export function refusedByRail(
  decision: NewDecision,
  { rail, reason }: { readonly rail: string; readonly reason: string },
): NewDecision {
  return { ...decision, outcome: 'deny', policies: [], rails: [rail], reasons: [reason] }
}

export function decisionStore(db: Db, commit: GroupCommit, record: RecordDecision): DecisionStore {
  const byId = prepared(
    db,
    db
      .select()
      .from(decisions)
      .where(eq(decisions.id, param('id'))),
  )
  const noteShadow = recordShadow(db)
  const sets = policySetTable(db)
  return {
    refuse: (decision) => commit.run((tx) => record(tx, decision, null)),
    keepPolicies: ({ hash, policies, now }) => commit.run(() => sets.keep(hash, policies, now)),
    policiesOf: async (hash) => sets.policiesOf(hash),
    noteShadow: (differences) => commit.run(() => noteShadow(differences)),
    async byId(id) {
      const row = byId.get({ id })
      return row && withShadow(shown(decisions, row, decisionOf), shadowsOf(db, [id]))
    },
    async list(filter, page) {
      const where = [
        among(decisions.tenant, filter.tenants),
        filter.agent === undefined ? undefined : eq(decisions.agent, filter.agent),
        filter.task === undefined ? undefined : eq(decisions.task, filter.task),
        filter.outcome === undefined ? undefined : eq(decisions.outcome, filter.outcome),
        filter.since === undefined ? undefined : sql`${decisions.at} >= ${filter.since}`,
        filter.shadowDiffers && SHADOW_DIFFERS,
        beforeId(decisions.at, decisions.id, page),
      ]
      const rows = pageOf(db, decisions, where, page)
      const shadows = shadowsOf(
        db,
        rows.map((row) => row.id),
      )
      return rows.map((row) => withShadow(shown(decisions, row, decisionOf), shadows))
    },
  }
}

function withShadow(
  decision: DecisionRecord,
  shadows: ReadonlyMap<string, ShadowDifference>,
): DecisionRecord {
  const shadow = shadows.get(decision.id)
  return shadow && shadow.outcome !== decision.outcome ? { ...decision, shadow } : decision
}

/** What a permit leads to has its own event, which tells the decision; all else has it here. */
function eventType(decision: NewDecision, lease: string | null): AuditType | undefined {
  const delegates = decision.action === 'delegate'
  if (delegates && decision.outcome === 'permit') return undefined
  if (delegates || decision.rails.includes('delegation')) return 'delegation.refused'
  if (decision.action === 'act') {
    return decision.outcome === 'permit' ? 'action.permitted' : 'action.refused'
  }
  // With a lease it got the approval it needs.
  if (decision.outcome === 'permit' || lease !== null) return undefined
  return decision.action === 'openTask' ? 'task.refused' : 'credential.refused'
}
