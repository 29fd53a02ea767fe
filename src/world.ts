import { createHash } from 'node:crypto'
import type { Log, ProviderInstance, World } from './broker/broker.ts'
import { ShadowPolicies } from './broker/shadow.ts'
import type { Clock } from './clock.ts'
import type { Config, ProviderConfig } from './config.ts'
import { createIdentity, type Identity } from './identity/identity.ts'
import type { UpstreamWriter } from './model/upstream-writer.ts'
import type { PolicyEngine } from './policy/engine.ts'
import type { OwnTokens } from './provider.ts'

export interface WorldParts {
  readonly clock: Clock
  readonly log: Log
  readonly writer: UpstreamWriter
  /** Compiled from the configuration's policies. */
  readonly policies: PolicyEngine
  /** Compiled from those to be asked beside; absent where there are none. */
  readonly shadow?: PolicyEngine | undefined
  readonly ownTokens: OwnTokens
}

/**
 * Builds what a configuration describes. Instances of `before` whose settings did not change are
 * kept, with their connections and what they learned.
 */
export function buildWorld(config: Config, parts: WorldParts, before?: World): World {
  const providers = config.providers.map((provider) => {
    const kept = before?.providers.get(provider.name)
    const same =
      before !== undefined &&
      kept !== undefined &&
      sameInstance(kept.config, provider) &&
      sameTargets(before.config, config, provider.name)
    return [provider.name, same ? kept : createInstance(config, provider, parts)] as const
  })
  return {
    fingerprint: fingerprintOf(config, parts.policies),
    config,
    policy: parts.policies,
    shadow: shadowOf(config, parts, before),
    identity: identityOf(config, parts),
    agents: new Map(config.agents.map((agent) => [agent.id, agent])),
    entitlements: new Map(config.entitlements.map((entitlement) => [entitlement.id, entitlement])),
    providers: new Map(providers),
  }
}

/** Who is who under a configuration; what it hands out is no evidence (P10). */
export function identityOf(
  config: Config,
  { clock, log }: Pick<WorldParts, 'clock' | 'log'>,
): Identity {
  const { issuers, agents, secret } = config
  const eventIssuers = config.signals.sources.filter((source) => source.type === 'ssf')
  const definitions = new Map(config.providers.map((one) => [one.name, one.definition]))
  const ownIdentities = config.entitlements.flatMap(
    ({ provider, target }) => definitions.get(provider)?.identitiesOf?.(target) ?? [],
  )
  return createIdentity({ issuers, agents, eventIssuers, ownIdentities, secret, clock, log })
}

function shadowOf(
  { policiesShadow }: Config,
  { shadow }: WorldParts,
  before: World | undefined,
): ShadowPolicies | undefined {
  if (!policiesShadow || !shadow) return undefined
  if (before?.shadow?.hash === shadow.hash) return before.shadow
  return new ShadowPolicies({ hash: shadow.hash, sources: policiesShadow.sources })
}

/** The parts of a configuration that a lease is held against; references, never secrets. */
export function fingerprintOf(config: Config, policies: PolicyEngine): string {
  const { agents, entitlements, issuers } = config
  const providers = config.providers.map(({ name, type, settings }) => ({ name, type, settings }))
  return createHash('sha256')
    .update(JSON.stringify([agents, entitlements, issuers, providers, policies.hash]))
    .digest('hex')
}

/** Closes the instances of `before` that `after` does not use. */
export async function closeUnused(before: World, after: World | undefined): Promise<void> {
  const unused = [...before.providers.values()].filter(
    (instance) => after?.providers.get(instance.config.name) !== instance,
  )
  if (before.shadow !== after?.shadow) await before.shadow?.close()
  await Promise.allSettled(unused.map(({ provider }) => provider.close()))
}

function createInstance(
  config: Config,
  provider: ProviderConfig,
  { clock, log, writer, ownTokens }: WorldParts,
): ProviderInstance {
  const created = provider.definition.create({
    name: provider.name,
    installation: config.installation,
    writer,
    settings: provider.settings,
    targets: targetsOf(config, provider.name),
    clock,
    secret: (reference) => config.secret(reference),
    log,
    ownTokens,
  })
  const { definition, settings, type } = provider
  return {
    config: provider,
    provider: created,
    upstream: `${type} ${definition.upstreamOf(settings)}`,
  }
}

function targetsOf(config: Config, provider: string): unknown[] {
  return config.entitlements
    .filter((entitlement) => entitlement.provider === provider)
    .map((entitlement) => entitlement.target)
}

function sameInstance(a: ProviderConfig, b: ProviderConfig): boolean {
  return a.type === b.type && JSON.stringify(a.settings) === JSON.stringify(b.settings)
}

function sameTargets(a: Config, b: Config, provider: string): boolean {
  return JSON.stringify(targetsOf(a, provider)) === JSON.stringify(targetsOf(b, provider))
}
