import type { DecisionId } from '../ids.ts'
import type { IntentItem } from '../model/intent.ts'
import type { KeyName } from '../model/key.ts'

/** What a gateway asks: may this task do this, there, now? */
export interface Evaluation {
  readonly subject: SubjectName
  readonly action: string
  readonly constraints: IntentItem['constraints'] | undefined
  readonly resource: {
    /** The vocabulary, as in an intent item. */
    readonly type: string
    readonly location: string
    /** Absent: every entitlement of the task that it lies within must allow it. */
    readonly entitlement: string | undefined
  }
}

/**
 * How a gateway names who is about to act: `task` and `lease` by their ids, `task_token` by the
 * SHA-256, in lower-case hex, of the task token that the agent showed it.
 */
export interface SubjectName {
  readonly type: string
  readonly id: string
}

/** Why not, no more than whoever asks may know (P15); operators ask for the decision. */
export type ActRefusal =
  | 'unknown-subject'
  | 'task-ended'
  | 'lease-ended'
  | 'outside-intent'
  | 'policy-denied'
  | 'blocked'
  | 'limit-reached'
  | 'unavailable'

export type Verdict =
  | {
      readonly permitted: true
      readonly decision: DecisionId
      /** Only who holds it is the task: whoever asks saw a token at most. Null: bound to none. */
      readonly key: KeyName | null
    }
  | {
      readonly permitted: false
      readonly reason: ActRefusal
      /** Absent where nobody was decided about. */
      readonly decision?: DecisionId
      readonly retryAfterSeconds?: number
    }
