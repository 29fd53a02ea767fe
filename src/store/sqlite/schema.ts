import { index, integer, sql, sqliteTable, text, uniqueIndex } from './drizzle.ts'

// Instants are epoch milliseconds; columns ending in _json hold JSON text.

export const meta = sqliteTable('meta', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
})

export const tasks = sqliteTable(
  'tasks',
  {
    id: text('id').primaryKey(),
    agent: text('agent').notNull(),
    tenant: text('tenant').notNull(),
    workload: text('workload').notNull(),
    issuer: text('issuer').notNull(),
    proof: text('proof').notNull(),
    claimsJson: text('claims_json').notNull(),
    /** SHA-256 of the task token, lower-case hex. */
    tokenHash: text('token_hash').notNull(),
    purpose: text('purpose').notNull(),
    intentJson: text('intent_json').notNull(),
    labelsJson: text('labels_json').notNull(),
    state: text('state').notNull(),
    outcome: text('outcome'),
    cause: text('cause'),
    parent: text('parent'),
    depth: integer('depth').notNull().default(0),
    /** Through whom it came to its work; null where nobody delegated it. */
    chainJson: text('chain_json'),
    createdAt: integer('created_at').notNull(),
    deadline: integer('deadline').notNull(),
    heartbeatSeconds: integer('heartbeat_seconds'),
    heartbeatDueAt: integer('heartbeat_due_at'),
    lastHeartbeatAt: integer('last_heartbeat_at'),
    endedAt: integer('ended_at'),
    touchedJson: text('touched_json').notNull(),
    /** The key it is bound to, by name; null where its token alone is enough. */
    key: text('key'),
  },
  (t) => [
    // The token of an ended task is dead; it names its task itself.
    uniqueIndex('tasks_token').on(t.tokenHash).where(sql`state = 'open'`),
    index('tasks_created').on(t.createdAt, t.id),
    index('tasks_deadline').on(t.deadline).where(sql`state = 'open'`),
    index('tasks_heartbeat')
      .on(t.heartbeatDueAt)
      .where(sql`state = 'open' and heartbeat_due_at is not null`),
    index('tasks_agent').on(t.agent, t.createdAt),
    index('tasks_agent_open').on(t.agent).where(sql`state = 'open'`),
    index('tasks_tenant').on(t.tenant, t.state),
    index('tasks_parent').on(t.parent).where(sql`parent is not null`),
  ],
)

export const delegations = sqliteTable(
  'delegations',
  {
    id: text('id').primaryKey(),
    /** The task that delegated. */
    task: text('task').notNull(),
    agent: text('agent').notNull(),
    tenant: text('tenant').notNull(),
    /** SHA-256 of the delegation's token, lower-case hex. */
    tokenHash: text('token_hash').notNull(),
    purpose: text('purpose'),
    intentJson: text('intent_json').notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    deadline: integer('deadline').notNull(),
    usedAt: integer('used_at'),
    /** The task it opened. */
    child: text('child'),
    decision: text('decision').notNull(),
  },
  (t) => [
    uniqueIndex('delegations_token').on(t.tokenHash),
    index('delegations_task').on(t.task, t.expiresAt),
  ],
)

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

/** A lease of high impact counts for the agents in whose name it is held, too. */
export const impactInName = sqliteTable(
  'impact_in_name',
  {
    agent: text('agent').notNull(),
    lease: text('lease').notNull(),
    at: integer('at').notNull(),
  },
  (t) => [index('impact_in_name_agent').on(t.agent, t.at)],
)

/** A permit of high impact at action time, for the agent and everybody in whose name it acts. */
export const impactActs = sqliteTable(
  'impact_acts',
  {
    agent: text('agent').notNull(),
    decision: text('decision').notNull(),
    at: integer('at').notNull(),
  },
  (t) => [index('impact_acts_agent').on(t.agent, t.at)],
)

export const decisions = sqliteTable(
  'decisions',
  {
    id: text('id').primaryKey(),
    at: integer('at').notNull(),
    action: text('action').notNull(),
    outcome: text('outcome').notNull(),
    agent: text('agent').notNull(),
    tenant: text('tenant').notNull(),
    workload: text('workload').notNull(),
    task: text('task'),
    entitlement: text('entitlement'),
    chainJson: text('chain_json'),
    lease: text('lease'),
    policiesJson: text('policies_json').notNull(),
    railsJson: text('rails_json').notNull(),
    reasonsJson: text('reasons_json').notNull(),
    policyHash: text('policy_hash').notNull(),
    /** What was decided on, enough to decide it again. */
    requestJson: text('request_json').notNull(),
  },
  // One page at the end for each, not one anywhere for each agent and task: lists filter as they read.
  (t) => [index('decisions_at').on(t.at, t.id)],
)

/** The text of policies that are or were in force, by the hash that decisions name. */
export const policySets = sqliteTable('policy_sets', {
  hash: text('hash').primaryKey(),
  inForceSince: integer('in_force_since').notNull(),
  policiesJson: text('policies_json').notNull(),
})

/** What shadow policies would have decided differently. */
export const shadowDifferences = sqliteTable('shadow_differences', {
  decision: text('decision').primaryKey(),
  outcome: text('outcome').notNull(),
  policiesJson: text('policies_json').notNull(),
  reasonsJson: text('reasons_json').notNull(),
  policyHash: text('policy_hash').notNull(),
})

export const approvals = sqliteTable(
  'approvals',
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
    /** SHA-256 of what was asked for, lower-case hex: nothing else can be had for it. */
    grantHash: text('grant_hash').notNull(),
    /** What whoever decides is shown. */
    shownJson: text('shown_json').notNull(),
    ttlSeconds: integer('ttl_seconds').notNull(),
    policyHash: text('policy_hash').notNull(),
    decision: text('decision').notNull(),
    /** The store's own when it was asked for: in a restored database it is worth nothing. */
    epoch: integer('epoch').notNull(),
    state: text('state').notNull(),
    cause: text('cause'),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    decidedAt: integer('decided_at'),
    decidedBy: text('decided_by'),
    reason: text('reason'),
    lease: text('lease'),
    /** When whoever decides is told next; null: they were, or are not to be. */
    noticeDueAt: integer('notice_due_at'),
    noticeAttempts: integer('notice_attempts').notNull(),
  },
  (t) => [
    index('approvals_created').on(t.createdAt, t.id),
    index('approvals_open').on(t.agent, t.task).where(sql`state in ('pending', 'granted')`),
    index('approvals_expiry').on(t.expiresAt).where(sql`state in ('pending', 'granted')`),
    index('approvals_denied').on(t.agent, t.entitlement, t.decidedAt).where(sql`state = 'denied'`),
    index('approvals_notice').on(t.noticeDueAt).where(sql`notice_due_at is not null`),
  ],
)

export const kills = sqliteTable(
  'kills',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    selectorJson: text('selector_json').notNull(),
    reason: text('reason').notNull(),
    cause: text('cause').notNull(),
    orderedBy: text('ordered_by').notNull(),
    tenantsJson: text('tenants_json'),
    createdAt: integer('created_at').notNull(),
    block: text('block'),
    /** The signal that ordered it, if one did. */
    signal: text('signal'),
    /** 1: tasks that the selector matches end too; 0: only their leases. */
    endsTasks: integer('ends_tasks').notNull(),
    laneRank: integer('lane_rank').notNull(),
    countsJson: text('counts_json').notNull(),
    /** 1 while leases it matches may still be waiting for their order. */
    open: integer('open').notNull(),
  },
  (t) => [
    uniqueIndex('kills_id').on(t.id),
    index('kills_block').on(t.block).where(sql`block is not null`),
    index('kills_signal').on(t.signal).where(sql`signal is not null`),
    index('kills_open').on(t.seq).where(sql`open = 1`),
  ],
)

export const killLeases = sqliteTable(
  'kill_leases',
  {
    killSeq: integer('kill_seq').notNull(),
    lease: text('lease').notNull(),
  },
  (t) => [uniqueIndex('kill_leases_key').on(t.killSeq, t.lease)],
)

export const blocks = sqliteTable(
  'blocks',
  {
    id: text('id').primaryKey(),
    selectorJson: text('selector_json').notNull(),
    tenantsJson: text('tenants_json'),
    reason: text('reason').notNull(),
    createdBy: text('created_by').notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at'),
    liftedAt: integer('lifted_at'),
    liftedBy: text('lifted_by'),
  },
  (t) => [index('blocks_live').on(t.createdAt).where(sql`lifted_at is null`)],
)

export const signals = sqliteTable(
  'signals',
  {
    id: text('id').primaryKey(),
    source: text('source').notNull(),
    messageId: text('message_id').notNull(),
    bodyHash: text('body_hash').notNull(),
    receivedAt: integer('received_at').notNull(),
    subjectJson: text('subject_json').notNull(),
    /** The subject narrowed to what the source may name: a JSON array of selectors. */
    effectiveJson: text('effective_json').notNull(),
    level: text('level'),
    action: text('action').notNull(),
    reason: text('reason').notNull(),
    expiresAt: integer('expires_at'),
    supersededAt: integer('superseded_at'),
    kill: text('kill'),
    matchedJson: text('matched_json').notNull(),
    /** Null: a word about its subject as a whole. */
    topic: text('topic'),
    /** When what it says happened, as far as its sender says so. */
    eventAt: integer('event_at'),
    /** The sender's own words for what it is about, and why it has no effect if it has none. */
    aboutJson: text('about_json'),
  },
  (t) => [
    uniqueIndex('signals_message').on(t.source, t.messageId),
    index('signals_topic')
      .on(t.source, t.subjectJson, t.topic, t.eventAt)
      .where(sql`level is not null`),
    index('signals_received').on(t.receivedAt, t.id),
    index('signals_risk').on(t.receivedAt).where(sql`level is not null and superseded_at is null`),
  ],
)

/** What is good for one use, also DPoP proofs, by its SHA-256. */
export const evidenceUsed = sqliteTable(
  'evidence_used',
  {
    id: text('id').primaryKey(),
    expiresAt: integer('expires_at').notNull(),
  },
  (t) => [index('evidence_expiry').on(t.expiresAt)],
)

/** The first key an instance of a workload showed. */
export const pins = sqliteTable(
  'pins',
  {
    instance: text('instance').primaryKey(),
    key: text('key').notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (t) => [index('pins_expiry').on(t.expiresAt)],
)

export const audit = sqliteTable(
  'audit',
  {
    seq: integer('seq').primaryKey(),
    at: integer('at').notNull(),
    type: text('type').notNull(),
    actor: text('actor').notNull(),
    tenant: text('tenant'),
    task: text('task'),
    lease: text('lease'),
    dataJson: text('data_json').notNull(),
    prev: text('prev').notNull(),
    hash: text('hash').notNull(),
  },
  (t) => [
    // A task's events are its own and those of its leases. What is written at the same time stands
    // together in both, because ids count time.
    index('audit_lease').on(t.lease).where(sql`lease is not null`),
    index('audit_task_alone').on(t.task).where(sql`task is not null and lease is null`),
  ],
)
