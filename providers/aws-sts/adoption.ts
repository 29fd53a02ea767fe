import type { Clock } from '../../src/clock.ts'
import type { UpstreamWriter } from '../../src/model/upstream-writer.ts'
import type { ProviderLog } from '../../src/provider.ts'
import type { Refusals } from './refusals.ts'
import type { RolePolicies } from './role-policies.ts'
import type { Survey } from './role-survey.ts'
import type { UpstreamClock } from './upstream-clock.ts'

/** The longest session any role can give. */
const LONGEST_SESSION_SECONDS = 43_200

interface Clocks {
  readonly clock: Clock
  readonly upstream: UpstreamClock
}

/** By every clock: an entry is dead when ours *and* AWS's say so. */
export function surely({ clock, upstream }: Clocks): number {
  return Math.min(clock.now(), upstream.now() ?? 0)
}

/** Takes over what a role's documents refuse and nobody told us of. */
export class Adoption {
  readonly #context: Clocks & { readonly writer: UpstreamWriter; readonly log: ProviderLog }
  readonly #policies: RolePolicies
  readonly #refusals: Refusals
  /** The role's MaxSessionDuration, once it was read. */
  #longestSeconds: number | undefined

  constructor(
    context: Clocks & { readonly writer: UpstreamWriter; readonly log: ProviderLog },
    role: { readonly policies: RolePolicies; readonly refusals: Refusals },
  ) {
    this.#context = context
    this.#policies = role.policies
    this.#refusals = role.refusals
  }

  /** Where nobody knows when those leases die: as long as any session of the role could live. */
  async adopt(found: Survey, signal: AbortSignal): Promise<void> {
    if (found.earlier.length === 0 && found.own === undefined) return
    const { clock, upstream, log, writer } = this.#context
    this.#longestSeconds ??= await this.#policies.maxSessionSeconds(signal)
    const entries = this.#refusals.adopt(found, {
      sessionMs: (this.#longestSeconds ?? LONGEST_SESSION_SECONDS) * 1_000,
      // The later clock: what was issued until now dies by AWS's.
      now: Math.max(clock.now(), upstream.now() ?? 0),
      surely: surely(this.#context),
      latestExpiry: (name) => writer.latestExpiry(name),
    })
    if (entries > 0) log.info({ entries }, 'took over entries of earlier documents')
  }
}
