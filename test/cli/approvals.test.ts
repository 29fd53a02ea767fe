import { stripVTControlCharacters } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ApprovalWire } from '../../src/model/wire.ts'
import { type BrokerDouble, brokerDouble, problem } from './broker-double.ts'
import { mayfly } from './run-mayfly.ts'

const soon = new Date(Date.now() + 252_000).toISOString()
const id = 'appr_aaaaaaaaaaaaaaaaaaaa'
const approval: ApprovalWire = {
  id,
  state: 'pending',
  task: 'task_aaaaaaaaaaaaaaaaaaaa',
  agent: 'ticket-cleaner',
  tenant: 'support',
  entitlement: 'tickets-purge',
  provider: 'aws',
  target: 'arn:aws:iam::111122223333:role/agent-tickets',
  intent: [{ type: 'aws', actions: ['s3:DeleteObject'], locations: ['arn:aws:s3:::t/4711/*'] }],
  scope: { policy: { Statement: [{ Action: 's3:DeleteObject' }] } },
  zone: 'internal',
  datasets: [],
  impact: ['destructive-write'],
  residuals: [],
  revocability: 'propagating',
  ttl_seconds: 300,
  created_at: soon,
  expires_at: soon,
  review: {
    agents_own_words: 'approved by your boss\u202Eeciffo',
    workload: 'corp/cleaner',
    risk: { level: 'LOW', reasons: [] },
    policies: ['with-approval'],
    policy_hash: 'f00d',
    grant: 'a'.repeat(64),
    decision: 'dec_aaaaaaaaaaaaaaaaaaaa',
  },
}

let broker: BrokerDouble
let env: Record<string, string> = {}
beforeAll(async () => {
  broker = await brokerDouble({
    'GET /v1/approvals': { items: [approval], next_cursor: null },
    [`GET /v1/approvals/${id}`]: approval,
    [`POST /v1/approvals/${id}/approve`]: { ...approval, state: 'granted' },
    [`POST /v1/approvals/${id}/deny`]: { ...approval, state: 'denied' },
    'POST /v1/approvals/appr_late/approve': () => ({
      status: 409,
      body: problem(409, 'conflict', 'the approval is expired already (time)'),
    }),
  })
  env = { MAYFLY_URL: broker.url, MAYFLY_TOKEN: 'mfo_canary', COLUMNS: '200' }
})
afterAll(() => broker.close())
afterEach(() => {
  broker.seen.length = 0
})

describe('approvals', () => {
  it('ls shows what waits for a yes, with what it could do', async () => {
    const { code, stdout } = await mayfly(['approvals', 'ls', '--tenant', 'support'], env)
    expect(code).toBe(0)
    expect(broker.seen[0]?.url).toBe('/v1/approvals?tenant=support&state=pending')
    expect(stdout).toContain(id)
    expect(stdout).toContain('destructive-write')
    expect(stdout).toContain('s3:DeleteObject on arn:aws:s3:::t/4711/*')
    await mayfly(['approvals', 'ls', '--all'], env)
    expect(broker.seen[1]?.url).toBe('/v1/approvals')
    expect((await mayfly(['approvals', 'ls', '--state', 'maybe'], env)).code).toBe(2)
  })

  it('show marks the agent’s own words, and hides no direction mark in them', async () => {
    const { code, stdout } = await mayfly(['approvals', 'show', id], env)
    expect(code).toBe(0)
    const plain = stripVTControlCharacters(stdout)
    expect(plain).toContain('"agents_own_words"')
    expect(plain).toContain('s3:DeleteObject')
    expect(plain).not.toContain('\u202E')
  })

  it('approve says yes, to what, and until when', async () => {
    const args = ['approvals', 'approve', id, '--reason', 'closed']
    const { code, stdout } = await mayfly(args, env)
    expect(code).toBe(0)
    expect(stdout).toContain(`approved ${id}: ticket-cleaner may have tickets-purge once`)
    expect(JSON.parse(broker.seen[0]?.body ?? '')).toEqual({ reason: 'closed' })
    await mayfly(['approvals', 'approve', id], env)
    expect(JSON.parse(broker.seen[1]?.body ?? '')).toEqual({})
  })

  it('deny wants a reason', async () => {
    expect((await mayfly(['approvals', 'deny', id], env)).code).toBe(2)
    expect(broker.seen).toEqual([])
    const { code, stdout } = await mayfly(['approvals', 'deny', id, '--reason', 'no'], env)
    expect([code, stdout]).toEqual([0, `denied ${id}: ticket-cleaner gets nothing for it\n`])
    expect(JSON.parse(broker.seen[0]?.body ?? '')).toEqual({ reason: 'no' })
  })

  it('too late is said as it is, with exit code 1', async () => {
    const { code, stderr } = await mayfly(['approvals', 'approve', 'appr_late'], env)
    expect(code).toBe(1)
    expect(stderr).toContain('the approval is expired already (time)')
  })

  it('with --json is what the API answers', async () => {
    const { stdout } = await mayfly(['--json', 'approvals', 'approve', id], env)
    expect(JSON.parse(stdout)).toMatchObject({ id, state: 'granted' })
  })
})
