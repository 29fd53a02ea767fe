/** What this Vault namespace holds under lease names: policies, and tokens where they may be listed. */
import type { InventoryItem } from '../../src/provider.ts'
import { VaultRefusedError } from './client.ts'
import { listedKeys, sweepAccessors } from './sweep.ts'
import type { Upstream } from './upstream.ts'

const UPSTREAM_NAME = /^mf-[a-z2-7]{20}$/
/** A sweep looks up every token of the namespace. */
const INVENTORY_MS = 60_000

export async function inventory(upstream: Upstream): Promise<readonly InventoryItem[]> {
  const signal = AbortSignal.timeout(INVENTORY_MS)
  const policies = await listPolicies(upstream, signal)
  const tokens = await sweepAccessors(upstream, signal)
  upstream.listed.clear()
  for (const [name, accessors] of tokens ?? []) upstream.listed.set(name, accessors)
  return [
    ...policies
      .filter((name) => UPSTREAM_NAME.test(name))
      .map((upstreamName) => ({ upstreamName, what: 'policy' })),
    ...[...(tokens ?? [])]
      .filter(([name]) => UPSTREAM_NAME.test(name))
      .flatMap(([upstreamName, accessors]) =>
        accessors.map((accessor) => ({
          upstreamName,
          what: `token with accessor ${accessor}`,
          works: true,
        })),
      ),
  ]
}

async function listPolicies({ ender }: Upstream, signal: AbortSignal): Promise<readonly string[]> {
  try {
    return listedKeys(await ender.call({ method: 'list', path: 'sys/policies/acl', signal }))
  } catch (error) {
    if (error instanceof VaultRefusedError && error.status === 404) return []
    throw error
  }
}
