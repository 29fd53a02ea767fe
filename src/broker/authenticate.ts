import type { Actor } from '../audit/events.ts'
import type { GatewayConfig, OperatorConfig } from '../config.ts'
import { MayflyError } from '../errors.ts'
import type { Shown } from '../identity/shown.ts'
import type { Workload } from '../identity/workload.ts'
import { taskOfToken } from '../ids.ts'
import type { Task } from '../model/task.ts'
import type { Broker } from './broker.ts'
import { hashToken } from './open-task.ts'
import { assertHoldsKey } from './possession.ts'
import { byEvidence, byToken, notAccepted } from './recognise.ts'

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

/** A gateway: it asks about tasks, and is none of the above. */
export interface GatewayCaller {
  readonly gateway: GatewayConfig
  readonly actor: Actor
}

/**
 * Shown → caller. Everything that does not hold is `unauthenticated`, also a bound task's token
 * without its key; a task that has ended has a dead token.
 */
export async function authenticate(broker: Broker, shown: Shown): Promise<Caller> {
  const { token = '' } = shown
  if (token.startsWith('mft_')) return await authenticateTask(broker, shown, token)
  const operators = { kind: 'operator', all: broker.world().config.operators } as const
  const { found: operator, workload } = token.startsWith('mfo_')
    ? { found: byToken(broker, operators, { shown, token }), workload: undefined }
    : await byEvidence(broker, operators, shown)
  return { kind: 'operator', operator, actor: `operator:${operator.name}`, workload }
}

/** Shown → gateway, by its own token or evidence; `unauthenticated` for everybody else. */
export async function authenticateGateway(broker: Broker, shown: Shown): Promise<GatewayCaller> {
  const { token = '' } = shown
  if (/^mf[to]_/.test(token)) throw notAccepted('not the token of a gateway')
  const gateways = { kind: 'gateway', all: broker.world().config.gateways } as const
  const gateway = token.startsWith('mfg_')
    ? byToken(broker, gateways, { shown, token })
    : (await byEvidence(broker, gateways, shown)).found
  return { gateway, actor: `gateway:${gateway.name}` }
}

async function authenticateTask(broker: Broker, shown: Shown, token: string): Promise<TaskCaller> {
  const { store, clock } = broker
  const id = taskOfToken(token)
  const task = id && (await store.tasks.byToken(hashToken(token), id))
  if (!task) throw notAccepted('no such task token')
  await assertHoldsKey(broker, task, { shown, token })
  if (task.state !== 'open' || task.deadline <= clock.now()) {
    throw new MayflyError('task_ended', 'the task has ended')
  }
  return { kind: 'task', task, actor: `agent:${task.agent}` }
}
