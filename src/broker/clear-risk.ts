import type { Signal } from '../store/store.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { notFound } from './not-found.ts'
import { tenantsFor } from './operator.ts'
import { concernsOnly } from './read-trouble.ts'

/**
 * permission → find all → commit
 *
 * Takes back what signals say of risk: a false alarm, or trouble that is over. It takes what
 * lifting a block takes. All or none: `not_found` if one sets no risk now, or if it is not about
 * the operator's tenants alone (P11). Their blocks stay, and nothing that ended comes back.
 */
export async function clearRisk(
  broker: Broker,
  by: OperatorCaller,
  request: { readonly signals: readonly string[]; readonly reason: string },
): Promise<readonly Signal[]> {
  const tenants = tenantsFor(broker, by.operator, 'liftBlock')
  const { store, clock } = broker
  const now = clock.now()
  const known = (await store.signals.risks(now)).filter((one) => concernsOnly(broker, tenants, one))
  const theirs = new Set<string>(known.map(({ id }) => id))
  if (request.signals.some((id) => !theirs.has(id))) throw notFound('risk')
  const ids = known.map(({ id }) => id).filter((id) => request.signals.includes(id))
  return await store.signals.clear({ ids, actor: by.actor, reason: request.reason, now })
}
