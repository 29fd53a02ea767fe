import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Broker } from '../broker/broker.ts'
import { countPools } from '../broker/pools.ts'
import type { ErrorCode, MayflyError } from '../errors.ts'
import { upstreamGauges } from './upstream-gauges.ts'

/** One answer, as metrics see it: no ids, no names that strangers choose. */
export interface Answered {
  readonly route: string
  readonly method: string
  readonly status: number
  readonly seconds: number
  readonly refusal: MayflyError | undefined
  /** The provider that was to be asked for this request. */
  readonly upstream: string | undefined
}

export interface Metrics {
  readonly registry: Registry
  answered(answer: Answered): void
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** What was decided against, as opposed to badly asked or unlucky. */
const DENIALS = ['policy_denied', 'intent_exceeded', 'blocked']

/** What this broker tells Prometheus: counted as it answers, or read when it is asked. */
export function createMetrics(broker: Broker): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const durations = new Histogram({
    name: 'mayfly_http_request_duration_seconds',
    help: 'time to answer, by route',
    labelNames: ['route', 'method', 'status'],
    buckets: BUCKETS,
    registers,
  })
  const refusals = new Counter({
    name: 'mayfly_refusals_total',
    help: 'requests refused, by code; unauthenticated ones leave no other trace',
    labelNames: ['code'],
    registers,
  })
  const decisions = new Counter({
    name: 'mayfly_decisions_total',
    help: 'decided requests of agents',
    labelNames: ['action', 'outcome'],
    registers,
  })
  const mints = new Counter({
    name: 'mayfly_mints_total',
    help: 'upstreams asked for a credential, by what came of it',
    labelNames: ['provider', 'outcome'],
    registers,
  })
  standing(broker, registers)
  upstreamGauges(broker, registers)
  return {
    registry,
    answered({ route, method, status, seconds, refusal, upstream }) {
      const unrouted = route === '*' || route === '/*'
      durations.observe({ route: unrouted ? 'none' : route, method, status }, seconds)
      if (refusal) refusals.inc({ code: refusal.code })
      const action = ACTIONS[`${method} ${route}`]
      const awaits = action !== undefined && status === 202
      if (action && status < 300) {
        decisions.inc({ action, outcome: awaits ? 'needs-approval' : 'permit' })
      }
      if (action && DENIALS.includes(refusal?.code ?? ''))
        decisions.inc({ action, outcome: 'deny' })
      const outcome = upstream && !awaits && mintOutcome(refusal)
      if (upstream && outcome) mints.inc({ provider: upstream, outcome })
    },
  }
}

const ACTIONS: Readonly<Record<string, string>> = {
  'POST /v1/tasks': 'openTask',
  'POST /v1/tasks/:id/credentials': 'requestCredential',
  'POST /v1/leases/:id/renew': 'renew',
}

/** A refusal by a rail names it, and one by policy no lease: the upstream was then not asked. */
function mintOutcome(refusal: MayflyError | undefined): string | undefined {
  if (refusal === undefined) return 'minted'
  const { code, detail } = refusal
  if (detail?.rail !== undefined || detail?.lease === undefined) return undefined
  return MINT_OUTCOMES[code]
}

const MINT_OUTCOMES: Partial<Readonly<Record<ErrorCode, string>>> = {
  upstream_refused: 'refused',
  upstream_unavailable: 'unknown',
  blocked: 'undelivered',
  lease_ended: 'undelivered',
}

/** Gauges read from store and health at each scrape. */
function standing(broker: Broker, registers: Registry[]): void {
  const { store, clock, health } = broker
  new Gauge({
    name: 'mayfly_upstream_drift',
    help: 'what the last look at a provider found that differs from the store; `mayfly reconcile --dry-run` names it',
    labelNames: ['provider', 'kind'],
    registers,
    collect() {
      this.reset()
      for (const [provider, counts] of health.drift())
        for (const [kind, count] of counts) this.set({ provider, kind }, count)
    },
  })
  new Gauge({
    name: 'mayfly_containment_lost_total',
    help: 'how often an upstream accepted again what it had refused, since the start',
    labelNames: ['provider'],
    registers,
    collect() {
      for (const [provider, count] of health.lostContainments()) this.set({ provider }, count)
    },
  })
  new Gauge({
    name: 'mayfly_pool_slots',
    help: 'accounts of pools by state; without a free one nothing is issued',
    labelNames: ['provider', 'state'],
    registers,
    async collect() {
      for (const { provider, ...counts } of await countPools(broker))
        for (const [state, count] of Object.entries(counts)) this.set({ provider, state }, count)
    },
  })
  new Gauge({
    name: 'mayfly_leases_active',
    help: 'leases reserved or active',
    registers,
    async collect() {
      this.set(await store.leases.countActive({}))
    },
  })
  new Gauge({
    name: 'mayfly_approvals_pending',
    help: 'requests that wait for a person; `mayfly approvals ls` names them',
    registers,
    async collect() {
      this.set(await store.approvals.countPending(clock.now()))
    },
  })
  new Gauge({
    name: 'mayfly_audit_events',
    help: 'length of the audit chain',
    registers,
    async collect() {
      this.set((await store.audit.head()).seq)
    },
  })
  new Gauge({
    name: 'mayfly_signals_unreadable',
    help: 'stored signals that count as HIGH because their row is damaged; `mayfly signals ls` names them',
    registers,
    async collect() {
      const risks = await store.signals.risks(clock.now())
      this.set(risks.filter((signal) => signal.unreadable).length)
    },
  })
  new Gauge({
    name: 'mayfly_clock_leap_seconds',
    help: 'how far the host clock leapt ahead unconfirmed; nothing is opened or issued unless 0',
    registers,
    collect() {
      this.set(Math.round((clock.latest() - clock.now()) / 1000))
    },
  })
  new Gauge({
    name: 'mayfly_restore_unconfirmed',
    help: '1 while a restored database waits for an operator; nothing is opened or issued then',
    registers,
    collect() {
      this.set(store.restoration()?.confirmed === false ? 1 : 0)
    },
  })
  new Gauge({
    name: 'mayfly_provider_trouble',
    help: '1 while nothing is minted at a provider: circuit open, not revocable, clocks apart',
    labelNames: ['provider'],
    registers,
    collect() {
      this.reset()
      for (const { provider } of health.report()) this.set({ provider }, 1)
    },
  })
}
