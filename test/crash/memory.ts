import type { SelectorWire } from '../../src/model/wire.ts'
import type { Tenant } from './upstreams.ts'

/** An answer that said "done", and when: what no crash may undo. */
export interface Acknowledged {
  readonly round: number
  /** When the request was sent and its answer read, epoch milliseconds. */
  readonly sentAt: number
  readonly at: number
}

export interface KnownTask {
  readonly id: string
  readonly token: string
  readonly agent: string
  readonly tenant: Tenant
  /** The task that passed this one's work on. */
  readonly parent?: KnownTask
  readonly opened: Acknowledged
  ended?: Acknowledged
  /** It was refused as ended: something else ended it. */
  gone?: true
}

export interface KnownLease {
  readonly id: string
  readonly name: string
  readonly task: KnownTask
  readonly entitlement: string
  readonly provider: string
  readonly issued: Acknowledged
  /** Tries the credential at its upstream, as whoever holds it would. */
  readonly uses: (() => Promise<boolean>)[]
  ended?: Acknowledged
  gone?: true
}

export interface KnownDelegation {
  readonly id: string
  readonly token: string
  readonly from: KnownTask
  readonly agent: string
  readonly made: Acknowledged
  /** The task it opened. */
  child?: string
  gone?: true
}

export interface KnownApproval {
  readonly id: string
  readonly task: KnownTask
  readonly asked: Acknowledged
  granted?: Acknowledged
  denied?: Acknowledged
  /** It can be decided no more. */
  over?: true
}

/** While policies were in force, by an acknowledged reload, that forbid this. */
export interface Closure {
  readonly agent: string
  readonly entitlement: string
  readonly closed: Acknowledged
  /** When the files were changed again. */
  opened?: number
}

/** A kill or a signal that kills. */
export interface KnownKill {
  /** Undefined where the answer does not name it. */
  readonly id: string | undefined
  readonly by: 'operator' | 'signal'
  readonly selector: SelectorWire
  readonly ordered: Acknowledged
  /** Nothing may be issued there before this instant; undefined: it blocks nothing. */
  readonly blockedUntil: number | undefined
}

/** All that the broker acknowledged over all its lives, kept where no crash reaches. */
export class Memory {
  readonly tasks: KnownTask[] = []
  readonly leases: KnownLease[] = []
  readonly kills: KnownKill[] = []
  readonly delegations: KnownDelegation[] = []
  readonly approvals: KnownApproval[] = []
  readonly closures: Closure[] = []
  /** Every secret that crossed a wire. */
  readonly secrets: string[] = []
  readonly refusals = new Map<string, number>()
  answers = 0
  /** Called at every acknowledged answer. */
  onAnswer: () => void = () => {}

  acknowledge(): void {
    this.answers += 1
    this.onAnswer()
  }

  /** From now on the policies may be others. */
  policiesChange(): void {
    for (const closure of this.closures) closure.opened ??= Date.now()
  }

  refused(code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1)
  }
}

/** Whether `selector` means this lease; the same rule as the broker's, written once more. */
export function reaches(selector: SelectorWire, lease: KnownLease): boolean {
  if (selector.all) return true
  const facts: Readonly<Record<string, string>> = {
    lease: lease.id,
    workload: `corp/${lease.task.agent}`,
    agent: lease.task.agent,
    tenant: lease.task.tenant,
    entitlement: lease.entitlement,
    provider: lease.provider,
  }
  return Object.entries(selector).every(([key, value]) =>
    key === 'task' ? lineOf(lease.task).some(({ id }) => id === value) : facts[key] === value,
  )
}

/** The task and those it was passed on by. */
export function lineOf(task: KnownTask): KnownTask[] {
  return [task, ...(task.parent === undefined ? [] : lineOf(task.parent))]
}
