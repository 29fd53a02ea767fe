import { index, integer, sql, sqliteTable, text, uniqueIndex } from '../drizzle.ts'

export const leases = sqliteTable(
  'leases',
  {
    id: text('id').primaryKey(),
    task: text('task').notNull(),
    agent: text('agent').notNull(),
    tenant: text('tenant').notNull(),
    workload: text('workload').notNull(),
    issuer: text('issuer').notNull(),
    chainJson: text('chain_json'),
    entitlement: text('entitlement').notNull(),
    provider: text('provider').notNull(),
    target: text('target').notNull(),
    /** The entitlement's target as configured when the lease was reserved. */
    targetJson: text('target_json').notNull(),
    groupKey: text('group_key'),
    /**
     * How many of its group may be refused early at once; null: it takes none of those places; 0: it
     * was reserved beyond them, and only a kill ends it early.
     */
    groupCapacity: integer('group_capacity'),
    intentJson: text('intent_json').notNull(),
    state: text('state').notNull(),
    containment: text('containment'),
    proofJson: text('proof_json'),
    cause: text('cause'),
    generation: integer('generation').notNull(),
    createdAt: integer('created_at').notNull(),
    ttlSeconds: integer('ttl_seconds').notNull(),
    nativeFloorSeconds: integer('native_floor_seconds').notNull(),
    expiresAt: integer('expires_at').notNull(),
    nativeExpiresAt: integer('native_expires_at'),
    latestPossibleExpiry: integer('latest_possible_expiry').notNull(),
    exposedUntil: integer('exposed_until').notNull(),
    endingSince: integer('ending_since'),
    endedAt: integer('ended_at'),
    upstreamName: text('upstream_name').notNull(),
    scopeJson: text('scope_json').notNull(),
    residualsJson: text('residuals_json').notNull(),
    /** What it can do of what the strictest checks are kept for; null: nothing of that. */
    impactJson: text('impact_json'),
    revocability: text('revocability').notNull(),
    decision: text('decision').notNull(),
    /** The approval it consumed. */
    approval: text('approval'),
    policyHash: text('policy_hash').notNull(),
    slot: text('slot'),
    handleJson: text('handle_json'),
    /** 1 while a renewal's call to the upstream may be under way. */
    renewing: integer('renewing').notNull(),
    /** The last kill that was ordered before this lease was reserved or last renewed. */
    killSeq: integer('kill_seq').notNull(),
    idempotencyKey: text('idempotency_key'),
    requestHash: text('request_hash'),
    laneRank: integer('lane_rank'),
    dueAt: integer('due_at'),
    attempts: integer('attempts').notNull(),
    lastError: text('last_error'),
  },
  (t) => [
    index('leases_due')
      .on(t.provider, t.laneRank, t.tenant, t.dueAt)
      .where(sql`due_at is not null`),
    index('leases_expiry').on(t.expiresAt).where(sql`state = 'active'`),
    index('leases_running_out').on(t.latestPossibleExpiry).where(sql`state = 'ending'`),
    index('leases_owed')
      .on(t.provider, t.endingSince)
      .where(
        sql`state = 'ending' and containment in ('pending', 'unknown') and due_at < latest_possible_expiry`,
      ),
    index('leases_unsettled').on(t.id).where(sql`state = 'reserved' or renewing = 1`),
    index('leases_contained')
      .on(t.provider, t.latestPossibleExpiry)
      .where(sql`containment in ('enforced', 'proved')`),
    // From here on without the state, so that an activation leaves these pages alone; `ended_at` is
    // null as long as a lease is reserved, active or ending.
    index('leases_live').on(t.provider).where(sql`ended_at is null`),
    index('leases_created').on(t.createdAt, t.id),
    index('leases_task').on(t.task),
    index('leases_agent').on(t.agent).where(sql`ended_at is null`),
    index('leases_tenant').on(t.tenant, t.endedAt),
    index('leases_entitlement').on(t.entitlement, t.endedAt),
    index('leases_group')
      .on(t.groupKey, t.latestPossibleExpiry, t.tenant, t.agent)
      .where(sql`group_key is not null and containment is not null`),
    index('leases_group_live')
      .on(t.groupKey, t.tenant, t.agent)
      .where(sql`group_key is not null and state in ('reserved', 'active')`),
    index('leases_high_impact').on(t.agent, t.createdAt).where(sql`impact_json is not null`),
    uniqueIndex('leases_slot').on(t.provider, t.slot).where(sql`slot is not null`),
    index('leases_idempotency')
      .on(t.task, t.idempotencyKey)
      .where(sql`idempotency_key is not null`),
  ],
)
