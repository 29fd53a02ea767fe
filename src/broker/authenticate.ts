import { timingSafeEqual } from 'node:crypto'
import type { Actor } from '../audit/events.ts'
import type { OperatorConfig } from '../config.ts'
import { MayflyError } from '../errors.ts'
import { matchesWorkload } from '../identity/match.ts'
import type { Task } from '../model/task.ts'
import type { Broker } from './broker.ts'
import { hashToken } from './open-task.ts'

/** Who calls: a task by its token, or an operator by token or OIDC evidence. */
export type Caller =
  | { readonly kind: 'task'; readonly task: Task; readonly actor: Actor }
  | { readonly kind: 'operator'; readonly operator: OperatorConfig; readonly actor: Actor }

export type OperatorCaller = Extract<Caller, { kind: 'operator' }>
export type TaskCaller = Extract<Caller, { kind: 'task' }>

/**
 * Bearer → caller. Everything that does not hold is `unauthenticated` with one text; a task that
 * has ended has a dead token.
 */
export async function authenticate(broker: Broker, bearer: string): Promise<Caller> {
  if (bearer.startsWith('mft_')) return await authenticateTask(broker, bearer)
  if (bearer.startsWith('mfo_')) return operatorCaller(operatorByToken(broker, bearer))
  return operatorCaller(await operatorByEvidence(broker, bearer))
}

async function authenticateTask({ store, clock }: Broker, token: string): Promise<TaskCaller> {
  const task = await store.tasks.byToken(hashToken(token))
  if (!task) throw refused('no such task token')
  if (task.state !== 'open' || task.deadline <= clock.now()) {
    throw new MayflyError('task_ended', 'the task has ended')
  }
  return { kind: 'task', task, actor: `agent:${task.agent}` }
}

function operatorByToken({ world, clock }: Broker, token: string): OperatorConfig {
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

async function operatorByEvidence({ world }: Broker, evidence: string): Promise<OperatorConfig> {
  const { identity, config } = world()
  const workload = await identity.verify(evidence)
  const matching = config.operators.filter(
    ({ match }) => match !== undefined && matchesWorkload(match, workload),
  )
  // Nothing keeps what was used: such evidence would be as good as new for whoever copied it.
  if (workload.oneTime) throw refused('evidence good for one use is not for operators')
  const [operator] = matching
  if (!operator || matching.length > 1) {
    throw refused(matching.length > 1 ? 'several operators match' : 'no operator matches')
  }
  return operator
}

function operatorCaller(operator: OperatorConfig): OperatorCaller {
  return { kind: 'operator', operator, actor: `operator:${operator.name}` }
}

function refused(reason: string, about: Record<string, unknown> = {}): MayflyError {
  return new MayflyError('unauthenticated', 'the credentials were not accepted', {
    detail: { reason, ...about },
  })
}
