/** Whether each pool account is switched on: Google lists no tokens, so that is all there is to see. */
import { type InventoryItem, type InventoryRequest, UpstreamError } from '../../src/provider.ts'
import { inBatches } from './batches.ts'
import { isDisabled } from './pool-member.ts'
import { isPool, resourceName, target } from './target.ts'
import type { Upstream } from './upstream.ts'

const CALLS_AT_ONCE = 8
const INVENTORY_MS = 60_000

export async function inventory(
  upstream: Upstream,
  targets: readonly unknown[],
  beside: InventoryRequest | undefined,
): Promise<readonly InventoryItem[]> {
  const signal = AbortSignal.timeout(INVENTORY_MS)
  const accounts = [...namesOf(targets, beside?.slots ?? [])]
  return inBatches(accounts, CALLS_AT_ONCE, ([account, name]) =>
    look(upstream, { account, name, signal }),
  )
}

/** Resource names by account. */
function namesOf(targets: readonly unknown[], slots: readonly string[]): Map<string, string> {
  const names = new Map<string, string>()
  for (const slot of slots)
    names.set(slot, `projects/-/serviceAccounts/${encodeURIComponent(slot)}`)
  for (const given of targets) {
    const parsed = target.safeParse(given)
    if (!parsed.success || !isPool(parsed.data)) continue
    for (const account of parsed.data.service_accounts) {
      names.set(account, resourceName(parsed.data, account))
    }
  }
  return names
}

async function look(
  upstream: Upstream,
  { account, name, signal }: { account: string; name: string; signal: AbortSignal },
): Promise<InventoryItem> {
  try {
    const off = await isDisabled(upstream, { name }, { signal, upstreamName: 'mayfly-reconcile' })
    return {
      slot: account,
      what: `service account is ${off ? 'disabled' : 'enabled'}`,
      works: !off,
    }
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    if (error.upstreamCode === 'NOT_FOUND') {
      return { slot: account, what: 'service account does not exist', works: false }
    }
    return { slot: account, what: `service account could not be read: ${error.message}` }
  }
}
