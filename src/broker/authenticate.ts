import { timingSafeEqual } from 'node:crypto'
import type { Actor } from '../audit/events.ts'
import type { OperatorConfig } from '../config.ts'
import { MayflyError } from '../errors.ts'
import { matchesWorkload } from '../identity/match.ts'
import type { Shown } from '../identity/shown.ts'
import type { Workload } from '../identity/workload.ts'
import type { Task } from '../model/task.ts'
import type { Broker } from './broker.ts'
import { hashToken } from './open-task.ts'
import { assertHoldsKey, spendProof, workloadShown } from './possession.ts'

/** Who calls: a task by its token, or an operator by token or OIDC evidence. */
export type Caller =
  | { readonly kind: 'task'; readonly task: Task; readonly actor: Actor }
  | {
      readonly kind: 'operator'
      readonly operator: OperatorConfig
      readonly actor: Actor
      /** What they showed, unless it was a token of ours. */
      readonly workload: Workload | undefined
    }

export type OperatorCaller = Extract<Caller, { kind: 'operator' }>
export type TaskCaller = Extract<Caller, { kind: 'task' }>

/**
 * Shown → caller. Everything that does not hold is `unauthenticated`, also a bound task's token
 * without its key; a task that has ended has a dead token.
 */
export async function authenticate(broker: Broker, shown: Shown): Promise<Caller> {
  const { token = '' } = shown
  if (token.startsWith('mft_')) return await authenticateTask(broker, shown, token)
  if (token.startsWith('mfo_')) return operatorCaller(operatorByToken(broker, shown, token))
  const { operator, workload } = await operatorByEvidence(broker, shown)
  return operatorCaller(operator, workload)
}

async function authenticateTask(broker: Broker, shown: Shown, token: string): Promise<TaskCaller> {
  const { store, clock } = broker
  const task = await store.tasks.byToken(hashToken(token))
  if (!task) throw refused('no such task token')
  await assertHoldsKey(broker, task, { shown, token })
  if (task.state !== 'open' || task.deadline <= clock.now()) {
    throw new MayflyError('task_ended', 'the task has ended')
  }
  return { kind: 'task', task, actor: `agent:${task.agent}` }
}

function operatorByToken({ world, clock }: Broker, shown: Shown, token: string): OperatorConfig {
  if (shown.dpop !== undefined) throw refused('operator tokens come as Bearer')
  const hash = Buffer.from(hashToken(token))
  const operator = world().config.operators.find(
    ({ tokenSha256 }) =>
      tokenSha256 !== undefined && timingSafeEqual(Buffer.from(tokenSha256), hash),
  )
  if (!operator) throw refused('no such operator token')
  if (operator.expiresAt !== undefined && operator.expiresAt <= clock.now()) {
    throw refused('the operator token has expired', { operator: operator.name })
  }
  return operator
}

async function operatorByEvidence(
  broker: Broker,
  shown: Shown,
): Promise<{ readonly operator: OperatorConfig; readonly workload: Workload }> {
  const { config } = broker.world()
  const { workload, proof } = await workloadShown(broker, shown)
  const matching = config.operators.filter(
    ({ match }) => match !== undefined && matchesWorkload(match, workload),
  )
  // Nothing keeps what was used: such evidence would be as good as new for whoever copied it.
  if (workload.oneTime) throw refused('evidence good for one use is not for operators')
  const [operator] = matching
  if (!operator || matching.length > 1) {
    throw refused(matching.length > 1 ? 'several operators match' : 'no operator matches')
  }
  await spendProof(broker, proof, `operator ${operator.name}`)
  return { operator, workload }
}

function operatorCaller(operator: OperatorConfig, workload?: Workload): OperatorCaller {
  return { kind: 'operator', operator, actor: `operator:${operator.name}`, workload }
}

function refused(reason: string, about: Record<string, unknown> = {}): MayflyError {
  return new MayflyError('unauthenticated', 'the credentials were not accepted', {
    detail: { reason, ...about },
  })
}
