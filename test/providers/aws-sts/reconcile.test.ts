import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { awsSts } from '../../../providers/aws-sts/index.ts'
import { ManualTime } from '../../fixture/time.ts'
import { upstreamHouse } from '../../fixture/upstream-house.ts'
import { type AwsSandbox, startAwsSandbox } from '../../sandbox/aws/index.ts'
import { Ledger } from '../../sandbox/ledger.ts'
import { ROLE } from './bench.ts'

async function house() {
  const time = new ManualTime()
  const sandbox = await startAwsSandbox({
    ledger: new Ledger(),
    propagationMs: 4_000,
    now: time.wall,
  })
  onTestFinished(() => sandbox.close())
  sandbox.putBucket('tickets')
  sandbox.putObject('tickets', '4711', 'the printer is on fire')
  const statement = [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }]
  const role = sandbox.addRole({
    name: ROLE,
    externalId: 'test-house:support',
    policies: { permissions: { Version: '2012-10-17', Statement: statement } },
  })
  const keys = sandbox.brokerCredentials
  const one = await upstreamHouse({
    time,
    definition: awsSts,
    settings: {
      type: 'aws-sts',
      region: sandbox.region,
      endpoints: { sts: sandbox.endpoint, iam: sandbox.endpoint },
      credentials: { access_key_id: keys.accessKeyId, secret_access_key: 'env:BROKER' },
    },
    secrets: { 'env:BROKER': keys.secretAccessKey },
    target: { role_arn: role.arn },
    intent: [{ type: 'aws', actions: ['s3:GetObject'], locations: ['arn:aws:s3:::tickets/4711'] }],
  })
  return { one, sandbox }
}

/** Reads the ticket as the agent would: `ok`, or AWS's name for its refusal. */
async function read(sandbox: AwsSandbox, credential: Record<string, string>): Promise<string> {
  const s3 = new S3Client({
    region: sandbox.region,
    endpoint: sandbox.endpoint,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: {
      accessKeyId: credential.access_key_id ?? '',
      secretAccessKey: credential.secret_access_key ?? '',
      sessionToken: credential.session_token ?? '',
    },
  })
  try {
    await s3.send(new GetObjectCommand({ Bucket: 'tickets', Key: '4711' }))
    return 'ok'
  } catch (error) {
    return error instanceof Error ? error.name : 'unreadable'
  } finally {
    s3.destroy()
  }
}

describe('reconciling the deny documents of a role', () => {
  it('P6: an entry that somebody took out of the document is written again', async () => {
    const { one, sandbox } = await house()
    const { task, lease, credential } = await one.lend()
    await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
    await one.until(lease, 'enforced')
    await one.pass(4_000)
    expect(await read(sandbox, credential)).toBe('AccessDenied')

    const [name = '', text = ''] =
      Object.entries(sandbox.rolePolicies(ROLE)).find(([policy]) => policy.startsWith('mayfly-')) ??
      []
    const upstreamName = `mf-${lease.slice('lease_'.length)}`
    sandbox.putRolePolicy(ROLE, name, text.replaceAll(upstreamName, 'mf-aaaaaaaaaaaaaaaaaaaa'))
    await one.pass(4_000)
    expect(await read(sandbox, credential)).toBe('ok')

    const { body } = await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })
    expect(body.items[0].findings).toMatchObject([
      { kind: 'unknown-lease', upstream_name: 'mf-aaaaaaaaaaaaaaaaaaaa', repair: 'none' },
      { kind: 'containment-lost', upstream_name: upstreamName, lease, repair: 'done' },
    ])
    await one.until(lease, 'enforced')
    await one.pass(4_000)
    expect(await read(sandbox, credential)).toBe('AccessDenied')
    const events = (await one.as('admin', 'GET /v1/audit?limit=500')).body.items
    expect(events.map(({ type }: { type: string }) => type)).toContain('lease.containment_lost')
  })

  it.each([
    ['allows what it refused', { Effect: 'Allow' }],
    ['refuses one action only', { Action: ['s3:PutObject', 's3:DeleteObject'] }],
    ['refuses it elsewhere only', { Resource: 'arn:aws:s3:::elsewhere/*' }],
  ])(
    'P6: a name that still stands where the document %s is not taken for refused',
    async (_, change) => {
      const { one, sandbox } = await house()
      const { task, lease, credential } = await one.lend()
      await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
      await one.until(lease, 'enforced')
      const [name = '', text = ''] =
        Object.entries(sandbox.rolePolicies(ROLE)).find(([policy]) =>
          policy.startsWith('mayfly-'),
        ) ?? []
      const document = JSON.parse(text)
      Object.assign(document.Statement[0], change)
      sandbox.putRolePolicy(ROLE, name, document)
      await one.pass(4_000)
      expect(await read(sandbox, credential)).toBe('ok')

      const { body } = await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })
      expect(body.items[0].findings).toMatchObject([{ kind: 'containment-lost', lease }])
      await one.until(lease, 'enforced')
      await one.pass(4_000)
      expect(await read(sandbox, credential)).toBe('AccessDenied')
    },
  )
})
