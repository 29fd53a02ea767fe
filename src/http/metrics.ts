import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Broker } from '../broker/broker.ts'
import { MayflyError } from '../errors.ts'

/** One answer, as metrics see it: no ids, no names that strangers choose. */
export interface Answered {
  readonly route: string
  readonly method: string
  readonly status: number
  readonly seconds: number
  readonly error: Error | undefined
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
  return {
    registry,
    answered({ route, method, status, seconds, error, upstream }) {
      const unrouted = route === '*' || route === '/*'
      durations.observe({ route: unrouted ? 'none' : route, method, status }, seconds)
      const code = error === undefined ? undefined : codeOf(error)
      if (code !== undefined) refusals.inc({ code })
      const action = ACTIONS[`${method} ${route}`]
      if (action && status < 300) decisions.inc({ action, outcome: 'permit' })
      if (action && DENIALS.includes(code ?? '')) decisions.inc({ action, outcome: 'deny' })
      const outcome = upstream && mintOutcome(status, error)
      if (upstream && outcome) mints.inc({ provider: upstream, outcome })
    },
  }
}

const ACTIONS: Readonly<Record<string, string>> = {
  'POST /v1/tasks': 'openTask',
  'POST /v1/tasks/:id/credentials': 'requestCredential',
  'POST /v1/leases/:id/renew': 'renew',
}

function codeOf(error: Error): string {
  return error instanceof MayflyError ? error.code : 'other'
}

/** A refusal by a rail names it: the upstream was then not asked at all. */
function mintOutcome(status: number, error: Error | undefined): string | undefined {
  if (status < 300) return 'minted'
  if (!(error instanceof MayflyError) || error.detail?.rail !== undefined) return undefined
  if (error.code === 'upstream_refused') return 'refused'
  if (error.code === 'upstream_unavailable') return 'unknown'
  return error.detail?.lease === undefined ? undefined : 'undelivered'
}

/** Gauges read from store and health at each scrape. */
function standing({ store, clock, health }: Broker, registers: Registry[]): void {
  new Gauge({
    name: 'mayfly_endings_waiting',
    help: 'leases that no upstream has accepted to refuse yet',
    registers,
    async collect() {
      this.set((await store.endings.backlog()).count)
    },
  })
  new Gauge({
    name: 'mayfly_endings_oldest_seconds',
    help: 'how long the oldest of them has waited',
    registers,
    async collect() {
      const { oldest } = await store.endings.backlog()
      this.set(oldest === undefined ? 0 : Math.max(0, (clock.now() - oldest) / 1000))
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
    name: 'mayfly_audit_events',
    help: 'length of the audit chain',
    registers,
    async collect() {
      this.set((await store.audit.head()).seq)
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
