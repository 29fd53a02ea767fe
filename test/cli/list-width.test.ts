import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { widthOf } from '../../src/cli/table.ts'
import type {
  AgentWire,
  ApprovalWire,
  BlockWire,
  DecisionWire,
  EndingWire,
  EntitlementWire,
  KillWire,
  LeaseWire,
  ProviderWire,
  RiskWire,
  SignalWire,
  TaskWire,
} from '../../src/model/wire.ts'
import { type BrokerDouble, brokerDouble } from './broker-double.ts'
import { mayfly } from './run-mayfly.ts'

/** As long as a configured name may be, and as much as somebody may have to say. */
const name = (of: string) => of.padEnd(63, '-x')
const said = 'what somebody had to say about it, at length, '.repeat(8)
const at = new Date(Date.now() + 252_000).toISOString()
const id = (prefix: string) => `${prefix}_aaaaaaaaaaaaaaaaaaaa`
const item = {
  type: 'aws',
  identifier: name('read'),
  actions: ['s3:GetObject', 's3:ListBucket'],
  locations: ['arn:aws:s3:::a-bucket-with-a-long-name/and/a/long/path/*'],
}
const whose = { agent: name('agent'), tenant: name('tenant') }
const what = { entitlement: name('entitlement'), provider: name('provider'), target: said }
const selector = { agent: name('agent'), tenant: name('tenant'), entitlement: name('grant') }
const counts = { leases: 123_456, tasks: 123_456, agents: 123 }

const lease: LeaseWire = {
  id: id('lease'),
  task: id('task'),
  ...whose,
  ...what,
  state: 'ending',
  containment: 'enforced',
  generation: 1,
  created_at: at,
  expires_at: at,
  exposed_until: at,
  upstream_name: 'mf-a',
  scope: {},
  residuals: [],
  decision: id('dec'),
  unreadable: true,
}
const task: TaskWire = {
  id: id('task'),
  ...whose,
  workload: said,
  proof: 'bearer',
  purpose: said,
  intent: [item],
  labels: {},
  state: 'ended',
  cause: 'heartbeat-lost',
  depth: 0,
  created_at: at,
  deadline: at,
}
const approval: ApprovalWire = {
  id: id('appr'),
  state: 'pending',
  task: id('task'),
  ...whose,
  ...what,
  intent: [item],
  scope: {},
  zone: name('zone'),
  datasets: [],
  impact: ['destructive-write', 'credential-access', 'bulk-read'],
  residuals: [],
  revocability: 'immediate',
  ttl_seconds: 900,
  created_at: at,
  expires_at: at,
}
const agent: AgentWire = {
  id: name('agent'),
  tenant: name('tenant'),
  owner: name('owner'),
  proof: 'bound',
  open_tasks: 1_234,
  active_leases: 12_345,
  risk: 'MEDIUM',
  blocked: true,
}
const entitlement: EntitlementWire = {
  id: name('entitlement'),
  tenants: [name('one'), name('other')],
  provider: name('provider'),
  target: said,
  ceiling: [item, item],
  zone: name('zone'),
  default_ttl_seconds: 5_430,
  max_ttl_seconds: 9_000,
  revocability: 'propagating',
  active_leases: 12_345,
}
const provider: ProviderWire = {
  id: name('provider'),
  type: 'aws-sts',
  circuits: { mint: { open: true, failures: 123 }, revoke: { open: true, failures: 123 } },
  problem: said,
}
const decision: DecisionWire = {
  id: id('dec'),
  at,
  action: 'requestCredential',
  outcome: 'needs-approval',
  ...whose,
  entitlement: name('entitlement'),
  policies: [name('policy'), name('other')],
  rails: ['not_revocable_now'],
  reasons: [said],
  policy_hash: 'x',
  shadow: { outcome: 'deny', policies: [], reasons: [], policy_hash: 'x' },
}
const kill: KillWire = {
  id: id('kill'),
  selector,
  reason: said,
  ordered_by: `operator:${name('boss')}`,
  created_at: at,
  dry_run: false,
  state: 'ending',
  counts,
  progress: { pending: 1, unknown: 0, enforced: 0, proved: 0, expired: 0, remaining: 123_456 },
  unreadable: true,
}
const block: BlockWire = {
  id: id('block'),
  selector,
  reason: said,
  created_by: `operator:${name('boss')}`,
  created_at: at,
}
const signal: SignalWire = {
  id: id('sig'),
  source: name('source'),
  message_id: 'm',
  received_at: at,
  subject: selector,
  level: 'MEDIUM',
  action: 'kill',
  reason: said,
  about: { why: said },
  matched: counts,
  unreadable: true,
}
const risk: RiskWire = {
  signal: id('sig'),
  subject: selector,
  level: 'MEDIUM',
  source: name('source'),
  reason: said,
  since: at,
}
const ending: EndingWire = {
  lease: id('lease'),
  ...whose,
  ...what,
  lane: 'cleanup',
  containment: 'enforced',
  ending_since: at,
  age_seconds: 123_456,
  attempts: 1_234,
  next_try_at: at,
  last_error: said,
  exposed_until: at,
  unreadable: true,
}

const LISTS: Readonly<Record<string, object>> = {
  agents: agent,
  approvals: approval,
  blocks: block,
  decisions: decision,
  endings: ending,
  entitlements: entitlement,
  kills: kill,
  leases: lease,
  providers: provider,
  risk,
  signals: signal,
  tasks: task,
}

let broker: BrokerDouble
let env: Record<string, string> = {}
beforeAll(async () => {
  const pages = Object.entries(LISTS).map(([list, one]) => [
    `GET /v1/${list}`,
    { items: [one, one], next_cursor: null },
  ])
  broker = await brokerDouble(Object.fromEntries(pages))
  env = { MAYFLY_URL: broker.url }
})
afterAll(() => broker.close())

const widest = (text: string) => Math.max(...text.split('\n').map(widthOf))

describe('a list with names as long as they may be', () => {
  it('is one of those there are', async () => {
    const { stdout } = await mayfly(['--help'], {})
    const commands = [...stdout.matchAll(/^ {2}([a-z]+)/gm)].flatMap(([, command = '']) => command)
    const listing: string[] = []
    for (const command of commands) {
      const help = (await mayfly([command, '--help'], {})).stdout
      if (/^ {2}ls /m.test(help)) listing.push(command)
    }
    expect(listing.toSorted()).toEqual(Object.keys(LISTS))
  })

  it.each(Object.keys(LISTS))('%s ls fits 100 columns, in a pipe too', async (list) => {
    for (const extra of list === 'decisions' ? [[], ['--shadow-differs']] : [[]]) {
      const piped = await mayfly([list, 'ls', ...extra], env)
      expect(piped.code).toBe(0)
      expect(widest(piped.stdout)).toBeLessThanOrEqual(100)
      expect(piped.stderr).toContain('cut to 100 columns')
      const told = await mayfly([list, 'ls', ...extra], { ...env, COLUMNS: '80' })
      expect(widest(told.stdout)).toBeLessThanOrEqual(80)
      expect(told.stderr).not.toContain('cut to')
      const [, row = ''] = piped.stdout.split('\n')
      const first = Object.values(LISTS[list] ?? {})[0] as string // every list begins with its id
      expect(row.startsWith(first.length < 30 ? first : first.slice(0, 15))).toBe(true)
    }
  })

  it('and nothing is lost where it is given the room', async () => {
    const { stdout, stderr } = await mayfly(['risk', 'ls'], { ...env, COLUMNS: '2000' })
    expect(stdout).toContain(said.trim())
    expect(stdout).not.toContain('…')
    expect(stderr).toBe('')
  })
})
