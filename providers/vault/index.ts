/**
 * Vault and OpenBao: one service token per lease under one ACL policy compiled from the intent, or
 * one dynamic secret read with such a token. Ending is immediate, by name, and proved by lookup.
 */
import { HeardClock } from '../../src/clock.ts'
import { defineProvider, type Provider, type ProviderContext } from '../../src/provider.ts'
import { check } from './check.ts'
import { VaultClient } from './client.ts'
import { describeLease } from './describe.ts'
import { end } from './end.ts'
import { inventory } from './inventory.ts'
import { mint } from './mint.ts'
import { prove } from './prove.ts'
import { renew } from './renew.ts'
import { VaultSession } from './session.ts'
import { type Settings, settingsSchema, targetSchema } from './settings.ts'
import { type Upstream, vaultOf } from './upstream.ts'
import { vaultVocabulary } from './vocabulary.ts'

export const vault = defineProvider({
  type: 'vault',
  settings: settingsSchema,
  target: targetSchema,
  vocabulary: vaultVocabulary,
  upstreamOf: vaultOf,
  describe: describeLease,
  create,
})

function create(context: ProviderContext<Settings>): Provider {
  const heard = new HeardClock(context.clock)
  const upstream = connect(context, heard)
  return {
    mint: (order) => mint(upstream, order),
    renew: (order) => renew(upstream, order),
    revoke: (batch) => end(upstream, batch),
    prove: (orders) => prove(upstream, orders),
    inventory: () => inventory(upstream),
    upstreamTime: () => heard.now(),
    check: () => check(upstream, context.targets),
    close: async () => {
      await upstream.minter.close()
      await upstream.ender.close()
      upstream.client.close()
    },
  }
}

function connect(
  { settings, secret, clock, installation }: ProviderContext<Settings>,
  heard: HeardClock,
): Upstream {
  const client = new VaultClient({
    address: settings.address.replace(/\/$/, ''),
    namespace: settings.namespace,
    ca: settings.ca === undefined ? undefined : secret(settings.ca).reveal(),
    timeoutMs: settings.timeout * 1_000,
    onDate: (at) => heard.hear(at),
  })
  const session = (auth: Settings['auth']) => new VaultSession({ client, auth, clock, secret })
  const minter = session(settings.auth)
  const ender = settings.revoke_auth === undefined ? minter : session(settings.revoke_auth)
  return {
    settings,
    installation,
    clock,
    client,
    minter,
    ender,
    strays: new Map(),
    listed: new Map(),
  }
}
