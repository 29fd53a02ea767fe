import type { BlockId } from '../ids.ts'
import type { Delegation } from '../model/delegation.ts'
import type { NewDecision } from './decision-store.ts'

export type NewDelegation = Omit<Delegation, 'usedAt' | 'child' | 'decision'> & {
  readonly tokenHash: string
}

export type DelegateResult =
  | { readonly ok: true; readonly delegation: Delegation }
  | { readonly ok: false; readonly why: 'blocked'; readonly block: BlockId }
  | { readonly ok: false; readonly why: 'task-ended' | 'limit' }

export interface DelegationStore {
  /** Records a delegation unless its task has ended, is blocked, or has passed on enough. */
  create(
    delegation: NewDelegation,
    against: { readonly delegationsPerTask: number; readonly decision: NewDecision },
  ): Promise<DelegateResult>
  /** Also one that is used or expired: it is consumed by `tasks.open` alone. */
  byToken(tokenHash: string): Promise<Delegation | undefined>
}
