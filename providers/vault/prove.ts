/** Looks again at ended leases; one whose handle is not known whole can never be proved. */
import type { EndOrder, ProofOutcome } from '../../src/provider.ts'
import { lookFor } from './evidence.ts'
import { parseHandle } from './handle.ts'
import type { Upstream } from './upstream.ts'

/** How long a whole batch may take. */
const PROVE_MS = 10_000

export async function prove(
  upstream: Upstream,
  orders: readonly EndOrder[],
): Promise<readonly ProofOutcome[]> {
  const signal = AbortSignal.timeout(PROVE_MS)
  const outcomes: ProofOutcome[] = []
  for (const order of orders) {
    const evidence = await lookFor(upstream, parseHandle(order.handle), signal)
    const { lease } = order
    outcomes.push(evidence.seen === 'gone' ? { lease, proof: evidence.proof } : { lease })
  }
  return outcomes
}
