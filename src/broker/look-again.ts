import type { Provider } from '../provider.ts'
import type { DriftPage } from '../store/store.ts'
import { answerWithin } from './answer-within.ts'
import type { Broker } from './broker.ts'
import type { Drift } from './drift.ts'
import { endOrderOf } from './end-order.ts'

/** Asked of the upstream at once. */
const BATCH = 25
/** A look as a whole takes no longer: who waits for it, and the next one, must come to their turn. */
const LOOKING_MS = 60_000
const LATE = `not all that was proved could be looked at again within ${LOOKING_MS / 1_000} s`

/**
 * Looks again at leases that were proved and could still be alive: whoever changes something
 * upstream can wake them up. Only what is seen accepted is told; a look that fails has seen nothing.
 * That not all could be looked at is told, too.
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
  const until = clock.monotonic() + LOOKING_MS
  for (let looked = 0; looked < walk.most; looked += BATCH) {
    const page = await store.drift.contained(name, clock.earliest(), {
      after: walk.after,
      limit: BATCH,
    })
    walk.after = page.next
    const proved = page.leases.filter(
      ({ lease }) => lease.endedAt !== null && lease.endedAt < startedAt,
    )
    const ms = until - clock.monotonic()
    const looking = provider.prove(proved.map(endOrderOf))
    const seen = await answerWithin({ clock, ms, late: LATE }, looking).catch(() => [])
    for (const { lease: id, works } of seen) {
      const lease = proved.find((one) => one.lease.id === id)?.lease
      if (!works || !lease) continue
      const what = 'the upstream accepts it again'
      found.push({ kind: 'containment-lost', what, upstreamName: lease.upstreamName, lease, works })
    }
    const late = clock.monotonic() >= until
    if (late) found.push({ kind: 'unseen', what: LATE })
    if (late || page.next === undefined) break
  }
  return found
}

/** Where looks have come to (undefined: they begin at what dies first), and how far one goes. */
export interface Walk {
  after: DriftPage['after']
  readonly most: number
}
