import { loadPolicies, type PolicyEngine } from '../../src/policy/engine.ts'
import type { CredentialQuestion } from '../../src/policy/question.ts'
import { percentile } from './job.ts'
import type { Row } from './rows.ts'

const FEW = 10
const MANY = 1_000
const MOST_RATIO = 2

/**
 * One decision under few and under many policies, in turn. Each question is a new one, so that no
 * remembered answer counts; the agents go round among the tenants that both sets know. What a slice
 * costs when it is asked for the first time is said beside.
 */
export function policyRow(options: {
  readonly decisions: number
  readonly tolerance: number
}): Row {
  const few = asker(engineWith(FEW))
  const many = asker(engineWith(MANY))
  const firstMs = percentile(times(FEW, many), 0.5)
  times(FEW, few)
  const [a, b]: [number[], number[]] = [[], []]
  for (let n = 0; n < options.decisions; n += FEW) {
    a.push(...times(FEW, few))
    b.push(...times(FEW, many))
  }
  const [floor, value] = [a, b].map((all) => percentile(all.toSorted(ascending), 0.5))
  if (floor === undefined || value === undefined) throw new Error('nothing was measured')
  const ratio = value / floor
  return {
    name: `decision with ${MANY} policies, none remembered`,
    target: `<= ${MOST_RATIO} x that with ${FEW}`,
    value: `p50 ${value.toFixed(2)} ms = ${ratio.toFixed(2)} x, a slice's first ${firstMs.toFixed(1)} ms`,
    floor: `p50 ${floor.toFixed(2)} ms`,
    ratio,
    met: ratio <= MOST_RATIO,
    ok: ratio <= MOST_RATIO * options.tolerance,
  }
}

type Ask = (n: number) => void

function asker({ decide }: PolicyEngine): Ask {
  let asked = 0
  return (n) => {
    asked += 1
    const { outcome } = decide(question(`tenant-${n}`, asked))
    if (outcome !== 'permit') throw new Error(`the bench's question was answered ${outcome}`)
  }
}

function times(count: number, ask: Ask): number[] {
  return Array.from({ length: count }, (_, n) => {
    const began = performance.now()
    ask(n)
    return performance.now() - began
  }).toSorted(ascending)
}

function ascending(a: number, b: number): number {
  return a - b
}

function engineWith(count: number): PolicyEngine {
  const text = Array.from({ length: count }, (_, n) => policyOf(`tenant-${n}`)).join('\n')
  const load = loadPolicies([{ name: `${count}.cedar`, text }])
  if (!load.ok) throw new Error(JSON.stringify(load.problems))
  return load.engine
}

function policyOf(tenant: string): string {
  return `@id("${tenant}")
    permit(principal is Mayfly::Agent, action == Mayfly::Action::"requestCredential", resource)
    when { resource.tenants.contains(principal.tenant) &&
           principal.tenant == Mayfly::Tenant::"${tenant}" &&
           context.risk.level == "LOW" && context.request.impact.isEmpty() &&
           context.task.ageSeconds < 1000000 };`
}

function question(tenant: string, ageSeconds: number): CredentialQuestion {
  return {
    action: 'requestCredential',
    agent: { id: `reader-of-${tenant}`, tenant, owner: 'bench@example.com' },
    workload: { name: 'corp/reader', issuer: 'corp', proof: 'bearer', claims: { sub: 'reader' } },
    entitlement: {
      id: 'things',
      provider: 'noop',
      zone: 'internal',
      tenants: [tenant],
      revocability: 'immediate',
      residualSeconds: 0,
    },
    task: { ageSeconds, depth: 0, zones: [], datasets: [], impact: [], activeLeases: 0 },
    risk: { level: 'LOW', reasons: [] },
    request: { ttlSeconds: 300, actions: ['read'], datasets: [], impact: [] },
    chain: [],
    now: 1_800_000_000_000,
  }
}
