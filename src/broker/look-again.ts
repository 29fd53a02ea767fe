import type { Provider } from '../provider.ts'
import type { DriftPage } from '../store/store.ts'
import type { Broker } from './broker.ts'
import type { Drift } from './drift.ts'
import { endOrderOf } from './end-order.ts'

/** Asked of the upstream at once. */
const BATCH = 25
/**
 * Looks again at leases that were proved and could still be alive: whoever changes something
 * upstream can wake them up. Only what is seen accepted is told; a look that fails has seen nothing.
 */
export async function seenWorking(
  { store, clock }: Broker,
  subject: {
    readonly name: string
    readonly provider: Provider
    readonly startedAt: number
    readonly walk: Walk
  },
): Promise<readonly Drift[]> {
  const { name, provider, startedAt, walk } = subject
  const found: Drift[] = []
  if (provider.prove === undefined) return found
  for (let looked = 0; looked < walk.most; looked += BATCH) {
    const page = await store.drift.contained(name, clock.earliest(), {
      after: walk.after,
      limit: BATCH,
    })
    walk.after = page.next
    const proved = page.leases.filter(
      ({ lease }) => lease.endedAt !== null && lease.endedAt < startedAt,
    )
    const seen = await provider.prove(proved.map(endOrderOf)).catch(() => [])
    for (const { lease: id, works } of seen) {
      const lease = proved.find((one) => one.lease.id === id)?.lease
      if (!works || !lease) continue
      const what = 'the upstream accepts it again'
      found.push({ kind: 'containment-lost', what, upstreamName: lease.upstreamName, lease, works })
    }
    if (page.next === undefined) break
  }
  return found
}

/** Where looks have come to (undefined: they begin at what dies first), and how far one goes. */
export interface Walk {
  after: DriftPage['after']
  readonly most: number
}
