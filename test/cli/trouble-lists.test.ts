import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { EndingWire, KillWire, ProviderWire } from '../../src/model/wire.ts'
import { type BrokerDouble, brokerDouble } from './broker-double.ts'
import { mayfly } from './run-mayfly.ts'

const ago = new Date(Date.now() - 252_000).toISOString()
const kill: KillWire = {
  id: 'kill_aaaaaaaaaaaaaaaaaaaa',
  selector: { agent: 'planner' },
  reason: 'leaked',
  ordered_by: 'operator:boss',
  created_at: ago,
  dry_run: false,
  state: 'ending',
  counts: { leases: 3, tasks: 2, agents: 1 },
  progress: { pending: 1, unknown: 0, enforced: 1, proved: 1, expired: 0, remaining: 2 },
}
const { state: _nobodyKnows, ...known } = kill
const damaged: KillWire = {
  ...known,
  id: 'kill_bbbbbbbbbbbbbbbbbbbb',
  selector: {},
  progress: { ...kill.progress, remaining: 0 },
  unreadable: true,
}
const ending: EndingWire = {
  lease: 'lease_aaaaaaaaaaaaaaaaaaaa',
  provider: 'aws',
  target: 'arn:aws:iam::111122223333:role/agents',
  agent: 'planner',
  tenant: 'support',
  lane: 'kill',
  containment: 'pending',
  ending_since: ago,
  age_seconds: 252,
  attempts: 7,
  exposed_until: ago,
  last_error: 'AccessDenied',
}
const fine = { open: false, failures: 0 }
let providers: ProviderWire[] = []

let broker: BrokerDouble
let env: Record<string, string> = {}
beforeAll(async () => {
  broker = await brokerDouble({
    'GET /v1/kills': { items: [kill, damaged], next_cursor: null },
    'GET /v1/endings': { items: [ending], next_cursor: null },
    'GET /v1/providers': () => ({ body: { items: providers, next_cursor: null } }),
  })
  env = { MAYFLY_URL: broker.url, MAYFLY_TOKEN: 'mfo_x', COLUMNS: '200' }
})
afterAll(() => broker.close())
beforeEach(() => {
  providers = [
    { id: 'vault', type: 'vault', circuits: { mint: fine, revoke: fine } },
    {
      id: 'aws',
      type: 'aws-sts',
      circuits: { mint: { open: false, failures: 2 }, revoke: { open: true, failures: 7 } },
      problem: 'ending leases at aws fails at present',
    },
  ]
})

it('kills ls says who killed what, when, why, and how much of it could still work', async () => {
  const { code, stdout } = await mayfly(['kills', 'ls'], env)
  expect(code).toBe(0)
  const [title, first, second] = stdout.split('\n')
  expect(title).toMatch(/^KILL +KILLS +STATE +LEASES +TASKS +WHEN +BY +REASON$/)
  expect(first).toMatch(
    /^kill_a{20} +agent=planner +ending, 2 left +3 +2 +4m\d+s ago +operator:boss +leaked$/,
  )
  expect(second).toMatch(/^kill_b{20} +nobody \(unreadable\) +unknown \(unreadable\)/)
  const json = await mayfly(['--json', 'kills', 'ls'], env)
  expect(JSON.parse(json.stdout).items).toEqual([kill, damaged])
})

it('providers ls says where minting or ending fails, and calls no mint ok that is withheld', async () => {
  const { code, stdout } = await mayfly(['providers', 'ls'], env)
  expect(code).toBe(0)
  expect(stdout).toMatch(/^vault +vault +ok +ok +-$/m)
  expect(stdout).toMatch(
    /^aws +aws-sts +withheld, 2 failures +circuit open, 7 failures +ending leases at aws fails at present$/m,
  )
})

it('endings ls names the provider whose circuit is open, on the other stream', async () => {
  const { code, stdout, stderr } = await mayfly(['endings', 'ls'], env)
  expect([code, stdout]).toEqual([0, expect.stringContaining('AccessDenied')])
  expect(stderr).toBe(
    'aws: ending leases fails there: nothing is minted, ends are tried on (mayfly providers ls)\n',
  )
  providers = []
  expect((await mayfly(['endings', 'ls'], env)).stderr).toBe('')
  const json = await mayfly(['--json', 'endings', 'ls'], env)
  expect(JSON.parse(json.stdout)).toEqual({ items: [ending], next_cursor: null })
})
