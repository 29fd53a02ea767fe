import type { Selector } from '../model/selector.ts'
import type { BlastRadius as Reached } from '../store/store.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { tenantsFor } from './operator.ts'

/** How many tasks, agents and entitlements are told; the counts say how many there are. */
const MOST_TOLD = 50

export interface BlastRadius extends Omit<Reached, 'upstreams'> {
  /** Those it would reach; null: all. */
  readonly tenants: readonly string[] | null
  readonly upstreams: readonly UpstreamHit[]
  /** How many leases an upstream can be told to refuse before they expire, and was not yet. */
  readonly refusable: number
  /** How many an upstream has accepted to refuse already. */
  readonly refused: number
  /** How many only run out, whoever kills them. */
  readonly runsOut: number
  /** The latest moment something of them can work if nothing can be ended early. */
  readonly exposedUntil: number | undefined
}

type UpstreamHit = Reached['upstreams'][number] & { readonly refusable: boolean }

/** What a kill would match and break, within the same tenants, changing nothing. */
export async function killDryRun(
  broker: Broker,
  by: OperatorCaller,
  selector: Selector,
): Promise<BlastRadius> {
  const { store, world } = broker
  const tenants = tenantsFor(broker, by.operator, 'kill')
  const { upstreams, ...radius } = await store.kills.blastRadius(selector, tenants, MOST_TOLD)
  const { providers } = world()
  const hit = upstreams.map((upstream): UpstreamHit => {
    const refuses = providers.get(upstream.provider)?.provider.revoke !== undefined
    return { ...upstream, refusable: refuses && upstream.revocability !== 'expiry' }
  })
  const refusable = hit.filter((one) => one.refusable)
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)
  return {
    ...radius,
    tenants,
    upstreams: hit,
    refusable: sum(refusable.map(({ leases, refused }) => leases - refused)),
    refused: sum(hit.map(({ refused }) => refused)),
    runsOut: sum(hit.map((one) => (one.refusable ? 0 : one.leases - one.refused))),
    exposedUntil:
      hit.length === 0 ? undefined : Math.max(...hit.map(({ exposedUntil }) => exposedUntil)),
  }
}
