import { MayflyError } from '../errors.ts'
import type { Shown } from '../identity/shown.ts'
import type { IntentItem } from '../model/intent.ts'
import type { Task } from '../model/task.ts'
import type { Secret } from '../secret.ts'
import { authenticate } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { issueCredential } from './issue.ts'
import type { Issued } from './issued.ts'
import { agentShown, openTaskFor } from './open-task.ts'
import { type TokenRequest, type TokenTarget, tokenTarget } from './token-target.ts'

/** What a client exchanges: the token of a task, or evidence with which one is opened. */
export type Exchanged =
  | { readonly kind: 'task'; readonly shown: Shown }
  | { readonly kind: 'evidence'; readonly shown: Shown; readonly delegation: string | undefined }

export interface ExchangeRequest extends TokenRequest {
  readonly subject: Exchanged
  /** `client_id`, which must be the agent; undefined: not said. */
  readonly client: string | undefined
}

export interface ExchangedToken {
  readonly task: Task
  /** Of a task that was opened for it. */
  readonly taskToken: Secret | undefined
  readonly issued: Issued
  /** As granted, which is as asked. */
  readonly intent: readonly IntentItem[]
}

/** A task opened for one token outlives it by what a mint may take. */
const TASK_MARGIN_SECONDS = 10

/**
 * subject → its task, or open one with the evidence → issue
 *
 * RFC 8693 over the same use cases as the API, which decide. Refuses as they do; a task that was
 * opened for a token that is then refused ends.
 */
export async function exchangeToken(
  broker: Broker,
  request: ExchangeRequest,
): Promise<ExchangedToken> {
  const { subject } = request
  return subject.kind === 'task'
    ? await withTask(broker, request, subject.shown)
    : await withEvidence(broker, request, subject)
}

async function withTask(
  broker: Broker,
  request: ExchangeRequest,
  shown: Shown,
): Promise<ExchangedToken> {
  const caller = await authenticate(broker, shown)
  if (caller.kind !== 'task') throw notAccepted()
  const { task } = caller
  assertClient(request, task.agent)
  const named = new Set(task.intent.flatMap(({ identifier = [] }) => identifier))
  const target = tokenTarget(broker.world(), { tenant: task.tenant, named }, request)
  const issued = await issueFor(broker, task, target)
  if ('approval' in issued) {
    throw new MayflyError('policy_denied', 'somebody has to say yes first; then ask again', {
      problems: [{ path: 'approval', message: issued.approval.id }],
    })
  }
  return { task, taskToken: undefined, issued, intent: target.intent ?? ownOf(task, target) }
}

async function withEvidence(
  broker: Broker,
  request: ExchangeRequest,
  { shown, delegation }: Extract<Exchanged, { kind: 'evidence' }>,
): Promise<ExchangedToken> {
  const who = await agentShown(broker, shown)
  assertClient(request, who.agent.id)
  const target = tokenTarget(broker.world(), { tenant: who.agent.tenant }, request)
  const { entitlement, intent } = target
  if (intent === undefined) {
    throw new MayflyError('invalid_request', 'say what it is for: authorization_details or scope')
  }
  const { task, token } = await openTaskFor(broker, who, {
    purpose: `token exchange for ${entitlement.id}`,
    intent,
    ttlSeconds: entitlement.defaultTtlSeconds + TASK_MARGIN_SECONDS,
    heartbeatSeconds: undefined,
    labels: {},
    delegation,
  })
  try {
    const issued = await issueFor(broker, task, target)
    if (!('approval' in issued)) return { task, taskToken: token, issued, intent }
    // Whoever asks again with evidence asks for another task, which nobody said yes to.
    throw new MayflyError(
      'policy_denied',
      'somebody has to say yes first: open a task and exchange its token',
    )
  } catch (error) {
    const { id } = task
    const end = { id, cause: 'ended', outcome: 'failed', actor: 'mayfly' } as const
    await broker.store.tasks.end({ ...end, now: broker.clock.now() })
    throw error
  }
}

async function issueFor(broker: Broker, task: Task, { entitlement, intent }: TokenTarget) {
  const request = { entitlement: entitlement.id, intent }
  return await issueCredential(broker, task, {
    ...request,
    ttlSeconds: undefined,
    idempotencyKey: undefined,
  })
}

function ownOf({ intent }: Task, { entitlement }: TokenTarget): readonly IntentItem[] {
  return intent.filter(({ identifier }) => identifier === entitlement.id)
}

/** RFC 6749 §2.2: a client identifier is no secret; a wrong one is a mistake worth telling. */
function assertClient({ client }: ExchangeRequest, agent: string): void {
  if (client === undefined || client === agent) return
  throw new MayflyError('agent_unknown', 'client_id is not the agent whose token this is')
}

function notAccepted(): MayflyError {
  return new MayflyError('unauthenticated', 'the subject token was not accepted')
}
