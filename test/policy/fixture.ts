import { readdirSync, readFileSync } from 'node:fs'
import { loadPolicies, type PolicyEngine } from '../../src/policy/engine.ts'
import type { PolicySource } from '../../src/policy/policy-set.ts'
import type {
  CredentialQuestion,
  DelegateQuestion,
  OpenTaskQuestion,
  OperatorFacts,
  SystemAct,
  TenantAct,
} from '../../src/policy/question.ts'

/** A Friday, 12:00 UTC. */
export const NOW = Date.UTC(2027, 0, 15, 12)

const folder = new URL('../../deploy/policies/', import.meta.url)

/** The files `mayfly init` writes. */
export function starterFiles(): PolicySource[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cedar'))
    .toSorted()
    .map((name) => ({ name, text: readFileSync(new URL(name, folder), 'utf8') }))
}

export function engineOf(...texts: string[]): PolicyEngine {
  const load = loadPolicies(texts.map((text, n) => ({ name: `file${n}.cedar`, text })))
  if (!load.ok) throw new Error(JSON.stringify(load.problems))
  return load.engine
}

const agent = { id: 'ticket-summariser', tenant: 'support', owner: 'support@example.com' }
const workload = {
  name: 'corp/robot',
  issuer: 'corp',
  proof: 'bearer',
  claims: { sub: 'robot', 'kubernetes.io/namespace': 'agents' },
} as const
const risk = { level: 'LOW', reasons: [] } as const

export function credential(overlay: Partial<CredentialQuestion> = {}): CredentialQuestion {
  return {
    action: 'requestCredential',
    agent,
    workload,
    entitlement: {
      id: 'tickets-read',
      provider: 'aws',
      zone: 'internal',
      tenants: ['support'],
      revocability: 'propagating',
      residualSeconds: 0,
    },
    task: { ageSeconds: 3, depth: 0, zones: [], datasets: [], impact: [], activeLeases: 0 },
    risk,
    request: { ttlSeconds: 300, actions: ['s3:GetObject'], datasets: ['pii'], impact: [] },
    chain: [],
    now: NOW,
    ...overlay,
  }
}

export function opening(overlay: Partial<OpenTaskQuestion> = {}): OpenTaskQuestion {
  return {
    action: 'openTask',
    agent,
    workload,
    risk,
    ttlSeconds: 600,
    depth: 0,
    now: NOW,
    ...overlay,
  }
}

export function delegating(overlay: Partial<DelegateQuestion> = {}): DelegateQuestion {
  const { entitlement: _entitlement, ...question } = credential()
  const executor = { ...agent, id: 'ticket-reader' }
  return { ...question, action: 'delegate', executor, ...overlay }
}

export function operator(role: string, tenants: readonly string[] = ['support']): OperatorFacts {
  return { name: `${role}-of-${tenants.join('-')}`, roles: [role], tenants }
}

export const TENANT_ACTS: readonly TenantAct[] = [
  'readLeases',
  'kill',
  'liftBlock',
  'approve',
  'readAudit',
]
export const SYSTEM_ACTS: readonly SystemAct[] = ['administer', 'sendSignal']
