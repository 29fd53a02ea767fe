/** What the driver is told to do, and what it answers; both travel between processes. */
export type Job =
  | ({ readonly kind: 'floor'; readonly url: string; readonly evidence: readonly string[] } & Load)
  | ({ readonly kind: 'issue' } & Against & Load)
  | ({ readonly kind: 'lifecycle' } & Against & Load)
  | ({ readonly kind: 'signal'; readonly count: number; readonly secret: string } & Against)
  | KillJob
  | StormJob

/** An agent gets so many leases, and is killed. */
export interface KillJob {
  readonly kind: 'kill'
  readonly url: string
  readonly operator: string
  /** Of nobody who was measured before. */
  readonly doomed: Doomed
  readonly leases: number
}

/** So many leases expire at one instant; meanwhile agents of a few leases are killed in turn. */
export interface StormJob extends Against {
  readonly kind: 'storm'
  readonly operator: string
  readonly doomed: readonly Doomed[]
  readonly leases: number
}

/** An agent with its evidence. */
export interface Doomed {
  readonly agent: string
  readonly evidence: string
}

interface Against {
  readonly url: string
  /** One token of evidence for each agent. */
  readonly evidence: readonly string[]
}

interface Load {
  readonly concurrency: number
  readonly warmUpMs: number
  readonly measureMs: number
}

export interface Measured {
  readonly requests: number
  readonly seconds: number
  /** Milliseconds, ascending. */
  readonly latencies: readonly number[]
  /** For kills: how long until each order was acknowledged; `latencies` say until all had ended. */
  readonly acknowledged?: readonly number[]
  /** For signals: when each was sent, by the upstream name of the lease it ends. */
  readonly sentAt: Readonly<Record<string, number>>
}

/** Epoch milliseconds with fractions, the same in every process of a machine. */
export function instant(): number {
  return performance.timeOrigin + performance.now()
}

export function percentile(ascending: readonly number[], part: number): number {
  const at = Math.min(ascending.length - 1, Math.floor(ascending.length * part))
  return ascending[at] ?? Number.NaN
}
