/** Looks again at ended leases; one whose handle is not known whole can never be proved. */
import { type EndOrder, type ProofOutcome, UpstreamError } from '../../src/provider.ts'
import { knownOf, provable } from './ended-target.ts'
import { type Evidence, lookFor } from './evidence.ts'
import { type Upstream, vaultOf } from './upstream.ts'

/** How long a whole batch may take. */
const PROVE_MS = 10_000

export async function prove(
  upstream: Upstream,
  orders: readonly EndOrder[],
): Promise<readonly ProofOutcome[]> {
  const signal = AbortSignal.timeout(PROVE_MS)
  const outcomes: ProofOutcome[] = []
  for (const order of orders) {
    const { lease } = order
    const handle = knownOf(order)
    if (handle.vault !== undefined && handle.vault !== vaultOf(upstream.settings)) {
      outcomes.push({ lease })
      continue
    }
    const evidence = await lookFor(upstream, handle, signal).catch(unseen)
    if (evidence.seen === 'gone' && provable(order)) outcomes.push({ lease, proof: evidence.proof })
    else outcomes.push(evidence.seen === 'alive' ? { lease, works: true } : { lease })
  }
  return outcomes
}

/** A look that fails has seen nothing, and says nothing of the others. */
function unseen(error: unknown): Evidence {
  if (error instanceof UpstreamError) return { seen: 'unseen' }
  throw error
}
