import { Gauge, type Registry } from 'prom-client'
import type { Broker } from '../broker/broker.ts'

/**
 * How each provider fares, read at each scrape. Labels are the configured providers: one that is
 * gone from the configuration has nothing unfinished.
 */
export function upstreamGauges(
  { store, clock, health, world }: Broker,
  registers: Registry[],
): void {
  const labelNames = ['provider'] as const
  /** Also those without: an alarm needs a series before it has a value. */
  const setAll = (gauge: Gauge<'provider'>, values: ReadonlyMap<string, number>) => {
    gauge.reset()
    for (const provider of world().providers.keys()) gauge.set({ provider }, 0)
    for (const [provider, value] of values) gauge.set({ provider }, value)
  }
  new Gauge({
    name: 'mayfly_endings_waiting',
    help: 'leases that their upstream could refuse and has not accepted to refuse yet',
    labelNames,
    registers,
    async collect() {
      const owed = await store.endings.owed()
      setAll(this, new Map(owed.map(({ provider, count }) => [provider, count])))
    },
  })
  new Gauge({
    name: 'mayfly_endings_oldest_seconds',
    help: 'how long the oldest of them has waited; without those that only run out',
    labelNames,
    registers,
    async collect() {
      const now = clock.now()
      const owed = await store.endings.owed()
      const age = (oldest: number) => Math.max(0, (now - oldest) / 1000)
      setAll(this, new Map(owed.map(({ provider, oldest }) => [provider, age(oldest)])))
    },
  })
  new Gauge({
    name: 'mayfly_credential_fullness_ratio',
    help: 'the fullest credential since the start, of what its upstream takes (AWS: the session token); beyond 1 it mints nothing',
    labelNames,
    registers,
    collect() {
      this.reset()
      for (const [provider, ratio] of health.fullest()) this.set({ provider }, ratio)
    },
  })
  new Gauge({
    name: 'mayfly_circuit_open',
    help: '1 while a provider failed too often in this direction: nothing is minted there meanwhile',
    labelNames: ['provider', 'direction'],
    registers,
    collect() {
      this.reset()
      for (const { provider, direction, open } of health.circuits()) {
        this.set({ provider, direction }, open ? 1 : 0)
      }
    },
  })
}
