import { expect, onTestFinished, test } from 'vitest'
import { groupCapacity, namesIn } from '../../providers/aws-sts/deny-documents.ts'
import { awsSts } from '../../providers/aws-sts/index.ts'
import { startLifecycle } from '../../src/lifecycle/lifecycle.ts'
import { type Opened, testApi } from '../fixture/http.ts'
import { startAwsSandbox } from '../sandbox/aws/index.ts'
import { Ledger } from '../sandbox/ledger.ts'

const MAIL = {
  type: 'aws',
  identifier: 'mail-read',
  actions: ['s3:GetObject'],
  locations: ['arn:aws:s3:::tickets/4711/*'],
}

test('P13: one agent that issues and ends in a loop leaves the role to others, and kills fit', async () => {
  const api = await office()
  const greedy = await api.open({ intent: [MAIL] })
  const asked = { entitlement: 'mail-read' }
  let ended = 0
  let answer = await api.issue(greedy, asked)
  for (; answer.status === 201; ended += 1) {
    await api.call(`POST /v1/leases/${answer.body.lease.id}/end`, { token: greedy.token, body: {} })
    answer = await api.issue(greedy, asked)
  }
  expect(answer.status).toBe(429)
  expect(answer.headers.get('retry-after')).toBe('60')
  expect(answer.body).toMatchObject({
    code: 'limit_reached',
    detail: expect.stringContaining('the agent holds its share'),
  })
  expect(ended).toBe(Math.floor((groupCapacity() * 3) / 4))
  const refusals = await api.as('admin', 'GET /v1/decisions?outcome=deny')
  expect(refusals.body.items[0]).toMatchObject({ agent: 'summariser', rails: ['agent-share'] })

  const other = await api.open({ intent: [MAIL] }, { sub: 'reader' })
  const lease = await issued(other)
  await expect.poll(() => api.refused().size, { timeout: 10_000 }).toBe(ended)
  const reason = 'it reads too much'
  await api.as('admin', 'POST /v1/kills', { selector: { agent: 'reader' }, reason })
  await expect
    .poll(async () => (await api.as('admin', `GET /v1/leases/${lease.id}`)).body)
    .toMatchObject({ containment: 'enforced', cause: 'killed' })
  expect(api.refused()).toContain(lease.upstream_name)

  async function issued(task: Opened) {
    const { status, body } = await api.issue(task, asked)
    if (status !== 201) throw new Error(JSON.stringify(body))
    return body.lease
  }
}, 60_000)

/** A broker that runs, over an emulated AWS account with one role for two agents. */
async function office() {
  const aws = await startAwsSandbox({ ledger: new Ledger() })
  onTestFinished(() => aws.close())
  const role = aws.addRole({ name: 'agent-mail', externalId: 'test-house:support' })
  const { accessKeyId, secretAccessKey } = aws.brokerCredentials
  const api = await testApi({
    time: {
      wall: Date.now,
      monotonic: () => performance.now(),
      after: (ms, run) => {
        const timer = setTimeout(run, ms)
        return () => clearTimeout(timer)
      },
    },
    providers: [awsSts],
    secrets: { 'env:BROKER_SECRET': secretAccessKey },
    change: (doc) => {
      doc.limits = { issues_per_minute_per_agent: 10_000 }
      doc.providers.aws = {
        type: 'aws-sts',
        region: aws.region,
        endpoints: { sts: aws.endpoint, iam: aws.endpoint },
        credentials: { access_key_id: accessKeyId, secret_access_key: 'env:BROKER_SECRET' },
      }
      doc.agents.push({
        ...doc.agents[0],
        id: 'reader',
        match: { issuer: 'corp', claims: { sub: 'reader' } },
      })
      doc.entitlements.push({
        id: 'mail-read',
        tenants: ['support'],
        provider: 'aws',
        target: { role_arn: role.arn },
        ceiling: [{ ...MAIL, identifier: undefined, locations: ['arn:aws:s3:::tickets/*'] }],
      })
    },
  })
  const lifecycle = await startLifecycle(api.broker)
  onTestFinished(() => lifecycle.stop(1_000))
  const refused = () =>
    new Set(Object.values(aws.rolePolicies('agent-mail')).flatMap((text) => namesIn(text)))
  return { ...api, refused }
}
