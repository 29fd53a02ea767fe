import type { ReceiptKeyWire, ReceiptWire } from '../model/receipt.ts'
import type {
  AgentWire,
  ApprovalWire,
  AuditEventWire,
  AuditHeadWire,
  AwaitsApprovalWire,
  BlockWire,
  DecisionWire,
  DelegatedWire,
  EndingWire,
  EntitlementWire,
  ExplanationWire,
  HeartbeatWire,
  IntentItemWire,
  IssuedWire,
  KillWire,
  LeaseWire,
  OpenedTaskWire,
  PageWire,
  ProviderWire,
  ReconciliationWire,
  ReloadWire,
  RenewedWire,
  RequestableWire,
  RiskWire,
  SelectorWire,
  SignalTestWire,
  SignalWire,
  SimulationWire,
  TaskOutcome,
  TaskWire,
} from '../model/wire.ts'
import { type ApiRequest, type ClientOptions, path, send } from './request.ts'

export interface Paging {
  readonly limit?: number
  readonly cursor?: string
}

export interface LeaseFilter extends Paging {
  readonly state?: string
  readonly agent?: string
  readonly task?: string
  readonly tenant?: string
  readonly entitlement?: string
  readonly provider?: string
}

export interface ApprovalFilter extends Paging {
  readonly state?: string
  readonly agent?: string
  readonly task?: string
  readonly tenant?: string
}

export interface TaskFilter extends Paging {
  readonly state?: string
  readonly agent?: string
  readonly tenant?: string
  readonly parent?: string
  readonly tree?: string
}

export interface DecisionFilter extends Paging {
  readonly outcome?: string
  readonly agent?: string
  readonly task?: string
  /** Only those from this instant on, RFC 3339. */
  readonly since?: string
  /** Each with what the policies were asked. */
  readonly inputs?: 'true'
  /** Only those that shadow policies would have made differently. */
  readonly shadow_differs?: 'true'
}

export interface OpenTask {
  readonly purpose: string
  readonly intent: readonly IntentItemWire[]
  readonly ttl_seconds?: number
  readonly heartbeat_seconds?: number
  readonly labels?: Readonly<Record<string, string>>
  /** The token of a delegation. */
  readonly delegation?: string
}

export interface Delegate {
  readonly agent: string
  readonly intent: readonly IntentItemWire[]
  readonly ttl_seconds?: number
  readonly purpose?: string
}

export interface CredentialRequest {
  readonly entitlement: string
  readonly intent?: readonly IntentItemWire[]
  readonly ttl_seconds?: number
}

export interface KillOrder {
  readonly selector: SelectorWire
  readonly reason: string
  /** Absent: until lifted; 0: no block. */
  readonly block_seconds?: number
  readonly dry_run?: boolean
}

/** A signal as it was signed (Standard Webhooks). */
export interface SignedSignal {
  readonly source: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Simulate {
  /** Cedar files; absent: the policies in force. */
  readonly policies?: readonly { readonly name: string; readonly text: string }[]
  /** A described question, or else the id of a stored decision. */
  readonly request?: Readonly<Record<string, unknown>>
  readonly decision?: string
}

/** Longer than the broker waits for an inventory. */
const RECONCILE_TIMEOUT_MS = 150_000

export type ApiClient = ReturnType<typeof apiClient>

/**
 * Every call of the HTTP API (DESIGN §8), typed by what travels. Nothing is retried: whoever calls
 * knows whether a second time does harm. Errors are those of `send`.
 */
export function apiClient(options: ClientOptions) {
  const call = <T>(request: ApiRequest) => send<T>(options, request)
  const get = <T>(path: string, query: object = {}) =>
    call<T>({ method: 'GET', path, query: { ...query } })
  const post = <T>(path: string, body?: unknown) => call<T>({ method: 'POST', path, body })
  return {
    /** With a workload's evidence as token. */
    openTask: (task: OpenTask) => post<OpenedTaskWire>('/v1/tasks', task),
    /**
     * With a task token; the idempotency key makes one answer of a retry. Where it awaits an
     * approval: once that is granted, the same call again.
     */
    requestCredential: (task: string, request: CredentialRequest, idempotencyKey?: string) =>
      call<IssuedWire | AwaitsApprovalWire>({
        method: 'POST',
        path: path`/v1/tasks/${task}/credentials`,
        body: request,
        headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
      }),
    /** With a task token: a token with which that agent opens a task of its own, once. */
    delegate: (task: string, request: Delegate) =>
      post<DelegatedWire>(path`/v1/tasks/${task}/delegations`, request),
    heartbeat: (task: string) => post<HeartbeatWire>(path`/v1/tasks/${task}/heartbeat`, {}),
    endTask: (task: string, outcome: TaskOutcome) =>
      post<TaskWire>(path`/v1/tasks/${task}/end`, { outcome }),
    task: (id: string) => get<TaskWire>(path`/v1/tasks/${id}`),
    requestable: (task: string) =>
      get<PageWire<RequestableWire>>(path`/v1/tasks/${task}/entitlements`),
    renewLease: (id: string) => post<RenewedWire>(path`/v1/leases/${id}/renew`, {}),
    endLease: (id: string) => post<LeaseWire>(path`/v1/leases/${id}/end`, {}),
    lease: (id: string) => get<LeaseWire>(path`/v1/leases/${id}`),

    /** `waitSeconds`: while it is pending, answer when that changes or after so long (30 at most). */
    approval: (id: string, waitSeconds?: number) =>
      get<ApprovalWire>(
        path`/v1/approvals/${id}`,
        waitSeconds === undefined ? {} : { wait_seconds: waitSeconds },
      ),
    approvals: (filter: ApprovalFilter = {}) =>
      get<PageWire<ApprovalWire>>('/v1/approvals', filter),
    approve: (id: string, reason?: string) =>
      post<ApprovalWire>(path`/v1/approvals/${id}/approve`, reason === undefined ? {} : { reason }),
    deny: (id: string, reason: string) =>
      post<ApprovalWire>(path`/v1/approvals/${id}/deny`, { reason }),

    leases: (filter: LeaseFilter = {}) => get<PageWire<LeaseWire>>('/v1/leases', filter),
    tasks: (filter: TaskFilter = {}) => get<PageWire<TaskWire>>('/v1/tasks', filter),
    agents: (paging: Paging = {}) => get<PageWire<AgentWire>>('/v1/agents', paging),
    entitlements: (paging: Paging = {}) =>
      get<PageWire<EntitlementWire>>('/v1/entitlements', paging),
    /** How each fares that can be minted at or ended at. */
    providers: (paging: Paging = {}) => get<PageWire<ProviderWire>>('/v1/providers', paging),
    decisions: (filter: DecisionFilter = {}) =>
      get<PageWire<DecisionWire>>('/v1/decisions', filter),
    decision: (id: string) => get<DecisionWire>(path`/v1/decisions/${id}`),
    explanation: (id: string) => get<ExplanationWire>(path`/v1/decisions/${id}/explanation`),
    /** What policies would say; it has no effect. */
    simulate: (request: Simulate) => post<SimulationWire>('/v1/policies/simulate', request),
    signals: (paging: Paging = {}) => get<PageWire<SignalWire>>('/v1/signals', paging),
    risk: (paging: Paging = {}) => get<PageWire<RiskWire>>('/v1/risk', paging),
    clearRisk: (order: { signals: readonly string[]; reason: string }) =>
      post<{ cleared: RiskWire[] }>('/v1/risk/clear', order),
    endings: (filter: Paging & { provider?: string } = {}) =>
      get<PageWire<EndingWire>>('/v1/endings', filter),
    /** Tries one ending lease again now instead of at its next turn. */
    retryEnding: (lease: string) => post<EndingWire>(path`/v1/endings/${lease}/retry`, {}),
    /** The same for every ending the operator may see. */
    retryEndings: (which: { provider?: string } = {}) =>
      post<{ retried: number }>('/v1/endings/retry', which),

    kill: (order: KillOrder) => post<{ kill: KillWire }>('/v1/kills', order),
    kills: (paging: Paging = {}) => get<PageWire<KillWire>>('/v1/kills', paging),
    killed: (id: string) => get<KillWire>(path`/v1/kills/${id}`),
    blocks: (filter: Paging & { state?: 'live' | 'all' } = {}) =>
      get<PageWire<BlockWire>>('/v1/blocks', filter),
    liftBlock: (id: string) => call<BlockWire>({ method: 'DELETE', path: path`/v1/blocks/${id}` }),
    sendSignal: ({ source, body, headers }: SignedSignal) =>
      call<{ signal: SignalWire }>({
        method: 'POST',
        path: path`/v1/signals/${source}`,
        rawBody: body,
        headers,
      }),
    /** What a message of this source would do; it has no effect. */
    testSignal: (source: string, body: string) =>
      call<SignalTestWire>({
        method: 'POST',
        path: path`/v1/signals/${source}/test`,
        rawBody: body,
      }),

    /** `full`: refused rather than with events left out that this operator may not read. */
    audit: (filter: Paging & { full?: 'true' } = {}) =>
      get<PageWire<AuditEventWire>>('/v1/audit', filter),
    leaseReceipt: (lease: string) => get<ReceiptWire>(path`/v1/leases/${lease}/receipt`),
    killReceipt: (kill: string) => get<ReceiptWire>(path`/v1/kills/${kill}/receipt`),
    /** Needs no token. */
    receiptKeys: () => get<{ keys: ReceiptKeyWire[] }>('/v1/receipt-keys'),

    auditHead: () => get<AuditHeadWire>('/v1/audit/head'),
    /** Waits for the upstreams, each as long as its inventory may take. */
    reconcile: (order: { readonly provider?: string; readonly dry_run?: boolean }) =>
      send<{ items: ReconciliationWire[] }>(
        { ...options, timeoutMs: RECONCILE_TIMEOUT_MS },
        { method: 'POST', path: '/v1/reconcile', body: order },
      ),
    reload: (confirm?: string) =>
      post<ReloadWire>('/v1/reload', confirm === undefined ? {} : { confirm }),
    /** After an older database was restored: lets the broker issue again. */
    confirmRestore: (reason: string) => post<{ kill: KillWire }>('/v1/restore/confirm', { reason }),
    ready: () => get<Record<string, unknown>>('/readyz'),
  }
}

/** The credential of an answer; throws where one still awaits an approval. */
export function issuedIn(answer: IssuedWire | AwaitsApprovalWire): IssuedWire {
  if ('credential' in answer) return answer
  throw new Error(`awaits the approval ${answer.approval.id}`)
}
