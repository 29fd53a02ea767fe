import { HeardClock } from '../../src/clock.ts'
import { defineProvider, type Provider, type ProviderContext } from '../../src/provider.ts'
import { Canaries } from './canary.ts'
import { describe } from './compile.ts'
import { AccountPool } from './pool.ts'
import { endpointsOf, type Settings, settings } from './settings.ts'
import { accountsOf, target } from './target.ts'
import { vocabulary } from './vocabulary.ts'

/**
 * Google Cloud: access tokens of service accounts by IAM Credentials, narrowed by a Credential
 * Access Boundary where the intent is in Cloud Storage. `README.md` says what an end really does.
 */
export const gcp = defineProvider({
  type: 'gcp',
  settings,
  target,
  vocabulary,
  // Accounts are named alike everywhere; where they are switched off is what matters.
  upstreamOf: (settings) => endpointsOf(settings).iam.origin,
  accountsOf: (target) =>
    'shared' in target
      ? { own: [], shared: [target.service_account] }
      : { own: target.service_accounts, shared: [] },
  identitiesOf: accountsOf,
  describe,
  create,
})

/**
 * `renew` is absent since a token cannot be prolonged. Google lists no issued tokens: the inventory
 * is the pool's accounts.
 */
function create(context: ProviderContext<Settings>): Provider {
  const heard = new HeardClock(context.clock)
  const upstream = lazyUpstream(context, heard)
  const pool = new AccountPool(upstream.get, context)
  const canaries = new Canaries(upstream.get, context.clock)
  return {
    async mint(order) {
      const { mint } = await import('./mint.ts')
      return mint(await upstream.get(), order, canaries)
    },
    revoke: (batch) => pool.revoke(batch.orders, batch.signal),
    prove: (orders) => canaries.prove(orders),
    release: (orders) => pool.release(orders),
    inventory: async (beside) => {
      const { inventory } = await import('./inventory.ts')
      const items = await inventory(await upstream.get(), context.targets ?? [], beside)
      pool.saw(items)
      return items
    },
    giveBack: (slots) => pool.giveBack(slots),
    upstreamTime: () => heard.now(),
    async check() {
      const { check } = await import('./check.ts')
      return check(await upstream.get(), context)
    },
    close: upstream.close,
  }
}

/** Google's libraries are loaded and their clients made with the first call. */
function lazyUpstream(context: ProviderContext<Settings>, heard: HeardClock) {
  let opened: Promise<import('./upstream.ts').Upstream> | undefined
  return {
    get() {
      opened ??= import('./upstream.ts').then(({ Upstream }) => new Upstream(context, heard))
      return opened
    },
    async close() {
      await (await opened)?.close()
    },
  }
}
