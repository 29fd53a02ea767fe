import type { ProviderName } from './agent.ts'
import type { TreeReport } from './tree.ts'
import { PROPAGATION } from './upstreams.ts'

/** What `npm run -s demo -- --json` prints: one document, also where a step failed. */
export interface Report {
  readonly ok: boolean
  readonly steps: readonly StepReport[]
  readonly providers: Readonly<Record<ProviderName, ProviderReport>>
  readonly audit: AuditReport
  /** Of `--delegation` alone. */
  readonly tree?: TreeReport
}

export interface StepReport {
  readonly name: string
  /** False for a step that failed, and for one that was never reached. */
  readonly ok: boolean
  readonly ms: number
}

/** Of several credentials of one provider always the worst. */
export interface ProviderReport {
  used: boolean
  out_of_scope_denied: boolean
  /** Null: it was never refused. */
  refused_after_end_ms: number | null
  refused_after_signal_ms: number | null
  /** Of the lease, when the thief had given up after the task's end. */
  containment: string | null
  /** Whether the upstream's propagation was scaled down. */
  readonly simulated: boolean
}

export interface AuditReport {
  events: number
  verified: boolean
}

export type Providers = Record<ProviderName, ProviderReport>

export function nothingYet(): Providers {
  return { aws: provider('aws'), vault: provider('vault'), gcp: provider('gcp') }
}

function provider(name: ProviderName): ProviderReport {
  const { demoMs, typicalMs } = PROPAGATION[name]
  return {
    used: false,
    out_of_scope_denied: false,
    refused_after_end_ms: null,
    refused_after_signal_ms: null,
    containment: null,
    simulated: demoMs < typicalMs,
  }
}
