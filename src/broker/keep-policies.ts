import type { PolicyEngine } from '../policy/engine.ts'
import type { Broker } from './broker.ts'

/** Keeps the text of the policies that come into force, for whoever asks later why. */
export async function keepPolicies(
  { store, clock }: Pick<Broker, 'store' | 'clock'>,
  { hash, policies }: Pick<PolicyEngine, 'hash' | 'policies'>,
): Promise<void> {
  const kept = [...policies.values()].map(({ id, file, text }) => ({ id, file, text }))
  await store.decisions.keepPolicies({ hash, policies: kept, now: clock.now() })
}
