import type { SureClock } from '../clock.ts'
import type { Config, EntitlementConfig, ProviderConfig } from '../config.ts'
import type { Dpop } from '../identity/dpop.ts'
import type { Identity } from '../identity/identity.ts'
import type { AgentConfig } from '../identity/settings.ts'
import type { Random } from '../ids.ts'
import type { PolicyEngine } from '../policy/engine.ts'
import type { Provider } from '../provider.ts'
import type { Signer } from '../signing/signer.ts'
import type { Store } from '../store/store.ts'
import type { Health } from './health.ts'
import type { Pace } from './pace.ts'
import type { ShadowPolicies } from './shadow.ts'

/** What every use case works with. A field that only one of them needs is an argument instead. */
export interface Broker {
  readonly store: Store
  readonly clock: SureClock
  readonly random: Random
  readonly log: Log
  readonly health: Health
  readonly pace: Pace
  readonly dpop: Dpop
  readonly signer: Signer
  /** What is configured and in force now; a reload replaces it as a whole. */
  world(): World
}

/** One configuration with what was built from it. */
export interface World {
  /** Tells worlds apart: a hash of everything a decision about a lease depends on. */
  readonly fingerprint: string
  readonly config: Config
  readonly policy: PolicyEngine
  /** Asked beside, never enforced; absent where none are configured. */
  readonly shadow?: ShadowPolicies | undefined
  readonly identity: Identity
  readonly agents: ReadonlyMap<string, AgentConfig>
  readonly entitlements: ReadonlyMap<string, EntitlementConfig>
  readonly providers: ReadonlyMap<string, ProviderInstance>
}

export interface ProviderInstance {
  readonly config: ProviderConfig
  readonly provider: Provider
  /** What it reaches, readable; see `ProviderDefinition.upstreamOf`. */
  readonly upstream: string
}

/** Structured logging; messages and data hold no secret (P2). */
export interface Log {
  debug(data: Record<string, unknown>, message: string): void
  info(data: Record<string, unknown>, message: string): void
  warn(data: Record<string, unknown>, message: string): void
  error(data: Record<string, unknown>, message: string): void
}
