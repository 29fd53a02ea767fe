import { z } from 'zod'
import { RISK_LEVELS } from '../model/risk.ts'
import { PROOFS } from '../model/task.ts'
import type {
  ActQuestion,
  CredentialQuestion,
  DelegateQuestion,
  OpenTaskQuestion,
  PolicyQuestion,
} from './question.ts'

/** What an agent's policy question is about; operators' acts are decided, but not kept. */
export type AgentQuestion = OpenTaskQuestion | CredentialQuestion | DelegateQuestion | ActQuestion

const names = z.array(z.string()).default([])
const whole = z.number().min(0)

const agent = z.strictObject({
  id: z.string().default('agent'),
  tenant: z.string(),
  owner: z.string().default('nobody@example.com'),
  labels: names,
})
const workload = z
  .strictObject({
    name: z.string().default('issuer/workload'),
    issuer: z.string().default('issuer'),
    proof: z.enum(PROOFS).default('bearer'),
    claims: z.record(z.string(), z.string()).default({}),
  })
  .prefault({})
/** `risk: HIGH` for short. */
const risk = z.preprocess(
  (value) => (typeof value === 'string' ? { level: value } : value),
  z.strictObject({ level: z.enum(RISK_LEVELS).default('LOW'), reasons: names }).prefault({}),
)
/** A Friday at noon, so that what is written without a time is answered alike on every day. */
const at = z.iso.datetime().default('2027-01-15T12:00:00Z')

const openTask = z.strictObject({
  action: z.literal('openTask'),
  agent,
  workload,
  risk,
  ttl_seconds: whole.default(900),
  depth: whole.default(0),
  at,
})
const task = z
  .strictObject({
    age_seconds: whole.default(0),
    depth: whole.default(0),
    zones: names,
    datasets: names,
    impact: names,
    active_leases: whole.default(0),
  })
  .prefault({})
const request = z
  .strictObject({
    ttl_seconds: whole.default(300),
    actions: names,
    datasets: names,
    impact: names,
  })
  .prefault({})
const chain = z.array(agent).default([])
const requestCredential = z.strictObject({
  action: z.literal('requestCredential'),
  agent,
  workload,
  entitlement: z.strictObject({
    id: z.string().default('entitlement'),
    provider: z.string().default('provider'),
    zone: z.string().default('internal'),
    tenants: names,
    labels: names,
    revocability: z.enum(['immediate', 'propagating', 'expiry']).default('propagating'),
    residual_seconds: whole.default(0),
  }),
  task,
  risk,
  request,
  chain,
  at,
})
const delegate = z.strictObject({
  action: z.literal('delegate'),
  agent,
  /** Who is to do it. */
  executor: agent,
  workload,
  task,
  risk,
  request,
  chain,
  at,
})
const act = z.strictObject({
  action: z.literal('act'),
  agent,
  workload,
  task,
  risk,
  /** What is about to be done. */
  act: z.strictObject({ name: z.string().default('read'), impact: names }).prefault({}),
  resource: z
    .strictObject({
      id: z.string().default('resource'),
      type: z.string().default('aws'),
      zone: z.string().default('internal'),
      datasets: names,
    })
    .prefault({}),
  chain,
  at,
})
const evaluate = z.strictObject({
  action: z.literal('evaluate'),
  gateway: z.strictObject({ name: z.string().default('gateway'), tenants: names }),
  tenant: z.string(),
  at,
})
const operator = z.strictObject({
  name: z.string().default('operator'),
  roles: names,
  tenants: names,
})
const tenantAct = z.strictObject({
  action: z.enum(['readLeases', 'kill', 'liftBlock', 'approve', 'readAudit']),
  operator,
  tenant: z.string(),
  at,
})
const systemAct = z.strictObject({ action: z.enum(['administer', 'sendSignal']), operator, at })

/**
 * What a policy is asked, as people write it in files of expected decisions, as the API takes it
 * for a simulation, and as decisions keep it. What is left out has the plainest value: no impact,
 * `LOW` risk, a bearer token, a task that has touched nothing. Unknown fields are refused, so that
 * a misspelt one does not pass for its plainest value.
 */
export const agentDescription = asCredential(
  z.discriminatedUnion('action', [openTask, requestCredential, delegate, act]),
)
export const description = asCredential(
  z.discriminatedUnion('action', [
    openTask,
    requestCredential,
    delegate,
    act,
    evaluate,
    tenantAct,
    systemAct,
  ]),
)
export type Description = z.infer<typeof description>
export type AgentDescription = z.infer<typeof agentDescription>

/** The fields that a description of each action has. */
export const FIELDS: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  [openTask, requestCredential, delegate, act, evaluate, tenantAct, systemAct].flatMap(
    ({ shape }) => {
      const { action, ...rest } = shape
      const actions = action instanceof z.ZodEnum ? action.options : [action.value]
      return actions.map((name) => [name, Object.keys(rest)])
    },
  ),
)

/** Without an `action` it is about a credential. */
function asCredential<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => {
    const plain = typeof value === 'object' && value !== null && !('action' in value)
    return plain ? { action: 'requestCredential', ...value } : value
  }, schema)
}

/** What was described, as the engine is asked it. */
export function questionOf(described: AgentDescription): AgentQuestion
export function questionOf(described: Description): PolicyQuestion
export function questionOf(described: Description): PolicyQuestion {
  const now = Date.parse(described.at)
  switch (described.action) {
    case 'openTask': {
      const { action, agent: who, workload: from, risk: trouble, ttl_seconds, depth } = described
      return {
        action,
        agent: who,
        workload: from,
        risk: trouble,
        ttlSeconds: ttl_seconds,
        depth,
        now,
      }
    }
    case 'delegate': {
      const { action, executor } = described
      return { action, executor, ...workOf(described), now }
    }
    case 'requestCredential': {
      const { action, entitlement } = described
      const { residual_seconds: residualSeconds, ...offered } = entitlement
      return { action, entitlement: { ...offered, residualSeconds }, ...workOf(described), now }
    }
    case 'act': {
      const { action, act: doing, resource } = described
      return { action, ...taskOf(described), act: doing, resource, now }
    }
    case 'evaluate': {
      const { action, gateway, tenant } = described
      return { action, gateway, tenant, now }
    }
    case 'administer':
    case 'sendSignal': {
      const { action, operator: who } = described
      return { action, operator: who, now }
    }
    case 'readLeases':
    case 'kill':
    case 'liftBlock':
    case 'approve':
    case 'readAudit': {
      const { action, operator: who, tenant } = described
      return { action, operator: who, tenant, now }
    }
  }
}

function workOf(described: Exclude<AgentDescription, { action: 'openTask' | 'act' }>) {
  const { ttl_seconds: ttlSeconds, ...asked } = described.request
  return { ...taskOf(described), request: { ...asked, ttlSeconds } }
}

function taskOf(described: Exclude<AgentDescription, { action: 'openTask' }>) {
  const { age_seconds: ageSeconds, active_leases: activeLeases, ...touched } = described.task
  return {
    agent: described.agent,
    workload: described.workload,
    risk: described.risk,
    chain: described.chain,
    task: { ...touched, ageSeconds, activeLeases },
  }
}
