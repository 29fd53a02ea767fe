import { z } from 'zod'
import { count, duration, size } from './scalar.ts'

/** Caps that keep one agent, one mistake or one full disk from harming the rest. */
export interface LimitsConfig {
  readonly openTasksPerAgent: number
  readonly activeLeasesPerTask: number
  readonly activeLeasesPerAgent: number
  readonly issuesPerMinutePerAgent: number
  readonly taskMaxTtlSeconds: number
  /** A reload that would end more leases than this waits for confirmation (P16). */
  readonly reloadMaxEnded: number
  /** Below this much free disk nothing is minted (P17). */
  readonly freeDiskReserveBytes: number
}

export const limitsSchema = z
  .strictObject({
    open_tasks_per_agent: count(1).default(50),
    active_leases_per_task: count(1).default(20),
    active_leases_per_agent: count(1).default(200),
    issues_per_minute_per_agent: count(1).default(120),
    task_max_ttl: duration.default(8 * 3600),
    reload_max_ended: count(0).default(100),
    free_disk_reserve: size.default(64 * 1024 ** 2),
  })
  .transform(
    (raw): LimitsConfig => ({
      openTasksPerAgent: raw.open_tasks_per_agent,
      activeLeasesPerTask: raw.active_leases_per_task,
      activeLeasesPerAgent: raw.active_leases_per_agent,
      issuesPerMinutePerAgent: raw.issues_per_minute_per_agent,
      taskMaxTtlSeconds: raw.task_max_ttl,
      reloadMaxEnded: raw.reload_max_ended,
      freeDiskReserveBytes: raw.free_disk_reserve,
    }),
  )
