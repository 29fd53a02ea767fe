import { z } from 'zod'
import { count, duration, size } from './scalar.ts'

/** Caps that keep one agent, one mistake or one full disk from harming the rest. */
export interface LimitsConfig {
  readonly openTasksPerAgent: number
  readonly activeLeasesPerTask: number
  readonly activeLeasesPerAgent: number
  readonly issuesPerMinutePerAgent: number
  /** Credentials (renewals aside) and permits at action time whose impact is high: no faster than a person can follow. */
  readonly highImpactPerHourPerAgent: number
  /**
   * Questions at action time about one tenant, each of a batch counted: every one is a decision that
   * is kept.
   */
  readonly evaluationsPerMinutePerGateway: number
  readonly taskMaxTtlSeconds: number
  /** How often work may be passed on: 3 is a planner with three levels of executors below it. */
  readonly delegationMaxDepth: number
  /** Used or still usable ones of one task. */
  readonly delegationsPerTask: number
  /** All tasks that one may have below it, ended ones too: its end ends them in one commit. */
  readonly tasksPerTree: number
  /** How long the token of a delegation waits to be used. */
  readonly delegationTokenTtlSeconds: number
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
    high_impact_per_hour_per_agent: count(1).default(30),
    evaluations_per_minute_per_gateway: count(1).default(1_200),
    task_max_ttl: duration.default(8 * 3600),
    delegation_max_depth: count(0).default(3),
    delegations_per_task: count(1).default(50),
    tasks_per_tree: count(1).default(250),
    delegation_token_ttl: duration.default(300),
    reload_max_ended: count(0).default(100),
    free_disk_reserve: size.default(64 * 1024 ** 2),
  })
  .transform(
    (raw): LimitsConfig => ({
      openTasksPerAgent: raw.open_tasks_per_agent,
      activeLeasesPerTask: raw.active_leases_per_task,
      activeLeasesPerAgent: raw.active_leases_per_agent,
      issuesPerMinutePerAgent: raw.issues_per_minute_per_agent,
      highImpactPerHourPerAgent: raw.high_impact_per_hour_per_agent,
      evaluationsPerMinutePerGateway: raw.evaluations_per_minute_per_gateway,
      taskMaxTtlSeconds: raw.task_max_ttl,
      delegationMaxDepth: raw.delegation_max_depth,
      delegationsPerTask: raw.delegations_per_task,
      tasksPerTree: raw.tasks_per_tree,
      delegationTokenTtlSeconds: raw.delegation_token_ttl,
      reloadMaxEnded: raw.reload_max_ended,
      freeDiskReserveBytes: raw.free_disk_reserve,
    }),
  )
