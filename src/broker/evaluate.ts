import { MayflyError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Task } from '../model/task.ts'
import type { ActResult, NewDecision } from '../store/store.ts'
import { type ActSubject, findActSubject } from './act-subject.ts'
import type { GatewayCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import type { Decided } from './decide.ts'
import { decideAct } from './decide-act.ts'
import type { ActRefusal, Evaluation, Verdict } from './evaluation.ts'
import { keptInputs } from './kept-input.ts'
import { principalsAbove } from './principals.ts'
import { reachesOf } from './reaches.ts'
import { noteRefusal } from './refusal-run.ts'
import { riskOfTask } from './risk.ts'
import { inForce } from './still-permitted.ts'
import { withheld } from './withheld.ts'

/**
 * find subject → pace → what of its intent covers it → decide for everybody in its chain → record
 *
 * Whatever is decided is kept (P12); what comes too fast is not decided. A subject of another tenant is answered
 * like one that does not exist (P11).
 */
export async function evaluate(
  broker: Broker,
  by: GatewayCaller,
  asked: Evaluation,
): Promise<Verdict> {
  for (let attempt = 0; attempt < MAX_DECISIONS; attempt += 1) {
    const subject = await findActSubject(broker, by, asked.subject)
    const wait = attempt === 0 ? takePace(broker, by, subject) : undefined
    if (wait !== undefined) {
      return { permitted: false, reason: 'limit-reached', retryAfterSeconds: wait }
    }
    if (!subject) return await refuseUnknown(broker, by, asked)
    const verdict = await decideAndPermit(broker, by, { asked, subject })
    if (verdict !== 'touched-since') return verdict
  }
  throw new MayflyError('unavailable', 'too much of this task is under way at once', {
    retryAfterSeconds: 1,
  })
}

/** As many different requests as a task may well have under way at once. */
const MAX_DECISIONS = 20

/** A gateway's questions by the tenant they are about, so that none takes the place of another (P13). */
function takePace(
  { pace, world }: Broker,
  { gateway }: GatewayCaller,
  subject: ActSubject | undefined,
): number | undefined {
  const { evaluationsPerMinutePerGateway } = world().config.limits
  const about = subject === undefined ? 'nobody' : `tenant ${subject.task.tenant}`
  return pace.take(`evaluate ${gateway.name} ${about}`, evaluationsPerMinutePerGateway)
}

interface About {
  readonly asked: Evaluation
  readonly subject: ActSubject
}

async function decideAndPermit(
  broker: Broker,
  by: GatewayCaller,
  about: About,
): Promise<Verdict | 'touched-since'> {
  const { asked, subject } = about
  const { task } = subject
  const now = broker.clock.now()
  const { world, riskMark } = await inForce(broker, now)
  const reaches = reachesOf(world, { task, lease: subject.lease, asked })
  const risk = await riskOfTask(broker, task, now)
  const activeLeases = await broker.store.leases.countActive({ task: task.id })
  const above = await principalsAbove(broker, task, now)
  const why = withheld(broker)
  const own = { task, risk, activeLeases }
  const decision = decideAct(world, { own, above, asked, reaches, withheld: why, now })
  const record = actDecision(broker, by, { ...about, decision, entitlement: onlyOne(reaches), now })
  const noteShadow = () => world.shadow?.note(broker, record, decision.questions ?? [])
  if (decision.outcome !== 'permit') {
    await broker.store.decisions.refuse(record)
    noteShadow()
    if (subject.shown) await noteRefusal(broker, task, decision)
    return { permitted: false, reason: reasonOf(decision), decision: record.id }
  }
  const permitted = await broker.store.acts.permit({
    task: task.id,
    lease: subject.lease?.id,
    within: reaches.map(({ entitlement: { id, provider }, target }) => ({
      entitlement: id,
      provider,
      target,
    })),
    touches: {
      zones: reaches.map(({ entitlement }) => entitlement.zone),
      datasets: reaches.flatMap(({ datasets }) => [...datasets]),
      impact: reaches.flatMap(({ impact }) => [...impact]),
    },
    decidedOn: [task, ...above.map((one) => one.task)],
    riskMark,
    limits: world.config.limits,
    decision: record,
    now,
  })
  if (!permitted.ok && permitted.why === 'touched-since') return permitted.why
  noteShadow()
  return verdictOf(permitted, record, task)
}

function verdictOf(
  permitted: Exclude<ActResult, { why: 'touched-since' }>,
  { id: decision, at }: NewDecision,
  { key }: Task,
): Verdict {
  if (permitted.ok) return { permitted: true, decision, key }
  if (permitted.why !== 'high-impact-pace') {
    return { permitted: false, reason: permitted.why, decision }
  }
  const retryAfterSeconds = Math.ceil((permitted.retryAt - at) / 1000)
  return { permitted: false, reason: 'limit-reached', decision, retryAfterSeconds }
}

/** Nobody is named in it, so that nothing tells a foreign subject from one that does not exist. */
async function refuseUnknown(
  { store }: Broker,
  { actor, gateway }: GatewayCaller,
  { subject, action, resource }: Evaluation,
): Promise<Verdict> {
  const data = {
    why: 'unknown-subject',
    tenants: gateway.tenants,
    subject: subject.type,
    action,
    resource: { type: resource.type, id: resource.location },
  }
  await store.audit.append([{ type: 'action.refused', actor, data }])
  return { permitted: false, reason: 'unknown-subject' }
}

function actDecision(
  broker: Broker,
  { actor, gateway }: GatewayCaller,
  facts: About & { decision: Decided; entitlement: string | null; now: number },
): NewDecision {
  const { asked, subject, decision, entitlement, now } = facts
  const { task, lease, shown } = subject
  const { action, constraints, resource } = asked
  return {
    id: newId('dec', broker),
    at: now,
    action: 'act',
    by: actor,
    outcome: decision.outcome,
    agent: task.agent,
    tenant: task.tenant,
    workload: task.workload,
    task: task.id,
    entitlement,
    chain: task.chain,
    policies: decision.policies,
    rails: decision.rails,
    reasons: decision.reasons,
    policyHash: decision.policyHash,
    request: {
      gateway: gateway.name,
      named_by: lease ? 'lease' : shown ? 'token' : 'task',
      intent: [
        {
          type: resource.type,
          ...(resource.entitlement !== undefined && { identifier: resource.entitlement }),
          actions: [action],
          locations: [resource.location],
          ...(constraints && { constraints }),
        },
      ],
      ...(decision.questions && { inputs: keptInputs(decision.questions) }),
    },
  }
}

function onlyOne(reaches: readonly { readonly entitlement: { readonly id: string } }[]) {
  const [one, ...others] = reaches
  return others.length === 0 ? (one?.entitlement.id ?? null) : null
}

/** Each rail of action time, as whoever asks may know it. */
const REASON_OF: Readonly<Record<string, ActRefusal>> = {
  intent: 'outside-intent',
  'task-ended': 'task-ended',
  'lease-ended': 'lease-ended',
  clock: 'unavailable',
}

function reasonOf({ rails }: Decided): ActRefusal {
  return REASON_OF[rails[0] ?? ''] ?? 'policy-denied'
}
