/** The vault provider over a sandbox Vault, with orders and what their holders see. */
import { engineOf } from '../../../providers/vault/engine.ts'
import { vault as definition } from '../../../providers/vault/index.ts'
import { targetSchema } from '../../../providers/vault/settings.ts'
import { type Clock, steadyClock } from '../../../src/clock.ts'
import { newId, upstreamName } from '../../../src/ids.ts'
import type { IntentItem } from '../../../src/model/intent.ts'
import { SKEW_MS } from '../../../src/model/lifetime.ts'
import type {
  CredentialFields,
  EndOrder,
  Minted,
  MintOrder,
  Provider,
} from '../../../src/provider.ts'
import { Secret } from '../../../src/secret.ts'
import { idSource } from '../../fixture/ids.ts'
import { writerOf } from '../../fixture/writer.ts'
import type { VaultSandbox } from '../../sandbox/vault/index.ts'
import { startVaultUpstream, type VaultUpstream } from './upstream.ts'

const TTL_SECONDS = 60

/** `settings` replaces single settings; `now` drives both Vault's clock and the provider's. */
export async function startLeaseBench(
  options: {
    settings?: Readonly<Record<string, unknown>>
    now?: () => number
    namespace?: string
    targets?: readonly unknown[]
  } = {},
): Promise<LeaseBench> {
  return new LeaseBench(await startVaultUpstream(options), options)
}

export class LeaseBench {
  readonly vault: VaultSandbox
  readonly provider: Provider
  readonly clock: Clock
  readonly #orders = new Map<string, MintOrder>()

  constructor(
    { vault, settings, secrets }: VaultUpstream,
    options: {
      settings?: Readonly<Record<string, unknown>>
      now?: () => number
      targets?: readonly unknown[]
    },
  ) {
    this.vault = vault
    const wall = options.now ?? (() => Date.now())
    this.clock = steadyClock(
      { wall, monotonic: options.now ? () => 0 : () => performance.now(), after: () => () => {} },
      0,
    )
    this.provider = definition.create({
      name: 'under-test',
      installation: 'bench',
      writer: writerOf(),
      settings: definition.settings.parse({ ...settings, ...options.settings }),
      ...(options.targets === undefined ? {} : { targets: options.targets }),
      clock: this.clock,
      secret: (reference) => new Secret(secrets[reference] ?? ''),
      log: { info: () => {}, warn: () => {} },
    })
  }

  /** Always the same order for one target. */
  order(target: Readonly<Record<string, unknown>> = { kind: 'token' }): MintOrder {
    const key = JSON.stringify(target)
    const order = this.#orders.get(key) ?? this.freshOrder(target)
    this.#orders.set(key, order)
    return order
  }

  freshOrder(
    target: Readonly<Record<string, unknown>> = { kind: 'token' },
    ttlSeconds = TTL_SECONDS,
  ): MintOrder {
    const lease = newId('lease', idSource)
    return {
      lease,
      upstreamName: upstreamName(lease),
      generation: 1,
      task: newId('task', idSource),
      agent: 'bench-agent',
      tenant: 'bench-tenant',
      holder: { key: null, chain: [] },
      target: definition.target.parse(target),
      targetName: 'bench',
      group: null,
      scope: {},
      intent: [intentFor(target)],
      ttlSeconds,
      notAfter: this.clock.now() + ttlSeconds * 1_000,
      slot: null,
      handle: null,
      signal: AbortSignal.timeout(5_000),
    }
  }

  mint(order: MintOrder): Promise<Minted> {
    return this.provider.mint(order)
  }

  async end(order: MintOrder, minted: Minted | null) {
    const outcomes = await this.provider.revoke?.({
      group: null,
      orders: [this.endOf(order, minted)],
      stillRefused: [],
      signal: AbortSignal.timeout(5_000),
    })
    return outcomes?.[0]
  }

  endOf(order: MintOrder, minted: Minted | null): EndOrder {
    const { lease, upstreamName, task, agent, tenant, target, targetName } = order
    return {
      ...{ lease, upstreamName, task, agent, tenant, target, targetName },
      group: null,
      slot: null,
      handle: minted?.handle ?? null,
      nativeExpiresAt: minted?.nativeExpiresAt ?? null,
      latestPossibleExpiry:
        minted === null ? order.notAfter + 60_000 : minted.nativeExpiresAt + SKEW_MS,
    }
  }

  tokenOf(minted: Minted): string {
    return revealed(minted.credential, 'token')
  }

  loginOf(minted: Minted): [user: string, password: string] {
    const { data } = minted.credential
    if (typeof data !== 'object' || data instanceof Secret) throw new Error('no data')
    return [revealed(data, 'username'), revealed(data, 'password')]
  }

  /** Accessors of tokens made for leases, which only the ledger's names tell apart. */
  leaseTokens(): readonly string[] {
    return this.vault.accessors().filter((accessor) => this.vault.nameOf(accessor) !== undefined)
  }

  async close(): Promise<void> {
    await this.provider.close()
    await this.vault.close()
  }
}

function intentFor(target: Readonly<Record<string, unknown>>): IntentItem {
  const parsed = targetSchema.parse(target)
  if (parsed.kind === 'token') {
    return { type: 'vault', actions: ['read'], locations: ['secret/data/tickets/*'] }
  }
  return { type: 'vault', actions: [engineOf(parsed).reads], locations: [parsed.path] }
}

function revealed(fields: CredentialFields, name: string): string {
  const value = fields[name]
  if (value instanceof Secret) return value.reveal()
  throw new Error(`no secret named ${name}`)
}
