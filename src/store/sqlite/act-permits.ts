import type { SelectorSubject } from '../../model/selector.ts'
import type { Act, ActResult, ActStore } from '../store.ts'
import type { GroupCommit, Tx } from './commit.ts'
import type { Db } from './database.ts'
import { type RecordDecision, refusedByRail } from './decisions.ts'
import { eq } from './drizzle.ts'
import { impactPace, paceReason } from './impact-pace.ts'
import { type Ancestor, type Lineage, subjectsAbove } from './lineage.ts'
import type { RiskNow } from './risk-now.ts'
import type { TaskRow } from './rows.ts'
import { leases, tasks } from './schema.ts'
import type { ShownTasks } from './shown-tasks.ts'
import type { Standing } from './standing.ts'
import { param, prepared } from './statement.ts'
import { touchingOf } from './touching.ts'

/** The permitting transaction of action time: everything that could forbid an act is read in it. */
export function actStore(rooms: {
  readonly db: Db
  readonly commit: GroupCommit
  readonly lineage: Lineage
  readonly shown: ShownTasks
  readonly standing: Standing
  readonly risk: RiskNow
  readonly record: RecordDecision
}): ActStore {
  const { db, commit, lineage, shown, standing, risk, record } = rooms
  const taskById = prepared(
    db,
    db
      .select()
      .from(tasks)
      .where(eq(tasks.id, param('id'))),
  )
  const leaseById = prepared(
    db,
    db
      .select({ state: leases.state, expiresAt: leases.expiresAt, killSeq: leases.killSeq })
      .from(leases)
      .where(eq(leases.id, param('id'))),
  )
  const touching = touchingOf(db, shown)
  const pace = impactPace(db)

  return {
    permit: (act) =>
      commit.run((tx): ActResult => {
        const { decision, now } = act
        const task = shown.row(act.task) ?? taskById.get({ id: act.task })
        if (task?.state !== 'open' || task.deadline <= now) return stop(tx, act, 'task-ended')
        const above = task.parent === null ? [] : lineage(task.id)
        const subjects = subjectsOf(task, act, above)
        const [whole] = subjects
        if (standing.isDoomed(whole, task.createdAt)) return stop(tx, act, 'task-ended')
        if (!isLive(act, subjects.at(-1) ?? whole)) return stop(tx, act, 'lease-ended')
        if (subjects.some((subject) => standing.blockAgainst(subject, now) !== undefined)) {
          return stop(tx, act, 'blocked')
        }
        const planners = above.map((one) => one.agent).filter((agent) => agent !== task.agent)
        const agents = [task.agent, ...new Set(planners)]
        const retryAt = pace.reached(act, agents)
        if (retryAt !== undefined) {
          refuse(tx, act, {
            rail: 'high-impact-pace',
            reason: paceReason(act, { planners, retryAt }),
          })
          return { ok: false, why: 'high-impact-pace', retryAt }
        }
        if (act.riskMark !== undefined && act.riskMark !== risk.mark(now))
          return { ok: false, why: 'touched-since' }
        if (act.decidedOn.some((one) => touching.since(one)))
          return { ok: false, why: 'touched-since' }
        pace.countAct(act, agents)
        touching.add(task, act.touches)
        // What an executor touched flows back to whoever it works for.
        for (const { id } of above) {
          const planner = taskById.get({ id })
          if (planner) touching.add(planner, act.touches)
        }
        record(tx, decision, act.lease ?? null)
        return { ok: true }
      }),
  }

  /** Also not under a kill that is ordered and has not reached it yet (P8). */
  function isLive({ lease, now }: Act, subject: SelectorSubject): boolean {
    if (lease === undefined) return true
    const row = leaseById.get({ id: lease })
    if (row?.state !== 'active' || row.expiresAt <= now) return false
    return standing.killSince(row.killSeq, () => subject) === undefined
  }

  /** The policies permitted it; what stood against it is kept for whoever asks why (P15). */
  function refuse(tx: Tx, { decision, lease }: Act, by: { rail: string; reason: string }): void {
    record(tx, refusedByRail(decision, by), lease ?? null)
  }

  function stop(tx: Tx, act: Act, why: keyof typeof REASONS): ActResult {
    refuse(tx, act, { rail: why, reason: REASONS[why] })
    return { ok: false, why }
  }
}

const REASONS = {
  'task-ended': 'the task has ended',
  'lease-ended': 'the lease has ended',
  blocked: 'a block names it',
} as const

/** What selectors see: the task as a whole, and its act within each entitlement. */
function subjectsOf(task: TaskRow, { lease, within, decision }: Act, above: readonly Ancestor[]) {
  const { id, agent, workload, tenant, issuer } = task
  const whole = { task: id, agent, workload, tenant, issuer, ...subjectsAbove(above) }
  const acts = within.map((each) => {
    const request = { ...each, policy_hash: decision.policyHash }
    return { ...whole, ...request, ...(lease && { lease }), ...subjectsAbove(above, request) }
  })
  return [whole, ...acts] as const
}
