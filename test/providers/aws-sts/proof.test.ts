import { expect, onTestFinished, test } from 'vitest'
import { awsSts } from '../../../providers/aws-sts/index.ts'
import type { Opened } from '../../fixture/http.ts'
import { ManualTime } from '../../fixture/time.ts'
import { upstreamHouse } from '../../fixture/upstream-house.ts'
import { startAwsSandbox } from '../../sandbox/aws/index.ts'
import { Ledger } from '../../sandbox/ledger.ts'
import { ROLE } from './bench.ts'

const HOME = 'us-east-1'
const FAR = 'eu-west-1'
const SECOND = 1_000
const MINUTE = 60 * SECOND

test('P6: a lease is proved once a canary of its document version is refused in each region, a control not', async () => {
  const { house, ledger, sandbox } = await office({ [HOME]: 4 * SECOND, [FAR]: 20 * SECOND })
  const { task, lease } = await house.lend()
  await end(house, task, lease)
  await house.until(lease, 'enforced')
  await passing(house, 15 * SECOND)
  // At home it is refused by now, and so is the canary.
  expect(ledger.uses.some(({ operation, allowed }) => operation === PROBE && !allowed)).toBe(true)
  expect(await shown(house, lease)).toMatchObject({ state: 'ending', containment: 'enforced' })
  await proved(house, lease)
  const { state, proof, exposed_until, ended_at } = await shown(house, lease)
  expect(state).toBe('ended')
  expect(proof).toMatchObject({ method: 'canary', regions: [HOME, FAR] })
  expect(Date.parse(exposed_until)).toBeLessThanOrEqual(Date.parse(ended_at))
  expect(ledger.working().map(({ name }) => name)).toEqual([expect.stringMatching(/^mf-control-/)])
  // No more than what it takes: one version for the end, one with the canary.
  expect(sandbox.calls('PutRolePolicy')).toBe(2)
  const { body } = await house.as('admin', 'POST /v1/reconcile', { provider: 'real' })
  expect(body.items[0].findings).toEqual([])
})

test('P6: an entry that somebody takes out before the proof is written again as soon as that is seen', async () => {
  const { house, sandbox, ledger } = await office({ [HOME]: 4 * SECOND, [FAR]: 4 * SECOND })
  const { task, lease } = await house.lend()
  await end(house, task, lease)
  await house.until(lease, 'enforced')
  const writes = sandbox.calls('PutRolePolicy')
  const [name = '', text = ''] =
    Object.entries(sandbox.rolePolicies(ROLE)).find(([policy]) => policy.startsWith('mayfly-')) ??
    []
  const upstreamName = `mf-${lease.slice('lease_'.length)}`
  sandbox.putRolePolicy(ROLE, name, text.replaceAll(upstreamName, 'mf-aaaaaaaaaaaaaaaaaaaa'))
  const { body } = await house.as('admin', 'POST /v1/reconcile', { provider: 'real' })
  expect(body.items[0].findings).toContainEqual(
    expect.objectContaining({ kind: 'containment-lost', repair: 'done' }),
  )
  await house.until(lease, 'enforced')
  expect(sandbox.calls('PutRolePolicy')).toBeGreaterThan(writes)
  expect(sandbox.rolePolicies(ROLE)[name]).toContain(upstreamName)
  await passing(house, 5 * SECOND)
  expect(ledger.working().map(({ name: working }) => working)).not.toContain(upstreamName)
})

const PROBE = 'sts:GetAccessKeyInfo'
const TICKET = {
  type: 'aws',
  actions: ['s3:GetObject'],
  locations: ['arn:aws:s3:::tickets/4711'],
}

type House = Awaited<ReturnType<typeof office>>['house']

/** One role, and a broker that looks in two regions. */
async function office(
  propagation: Readonly<Record<string, number>>,
  given: { readonly allowed?: readonly string[] } = {},
) {
  const { allowed = ['s3:*', PROBE] } = given
  const time = new ManualTime()
  const ledger = new Ledger()
  const delays = new Map(Object.entries(propagation))
  const sandbox = await startAwsSandbox({ ledger, propagationMs: delays, now: time.wall })
  onTestFinished(() => sandbox.close())
  sandbox.putBucket('tickets')
  sandbox.putObject('tickets', '4711', 'the printer is on fire')
  const statement = [{ Effect: 'Allow', Action: allowed, Resource: '*' }]
  const role = sandbox.addRole({
    name: ROLE,
    externalId: 'test-house:support',
    policies: { permissions: { Version: '2012-10-17', Statement: statement } },
  })
  const keys = sandbox.brokerCredentials
  const house = await upstreamHouse({
    time,
    definition: awsSts,
    settings: {
      type: 'aws-sts',
      region: HOME,
      endpoints: { sts: sandbox.endpoint, iam: sandbox.endpoint },
      credentials: { access_key_id: keys.accessKeyId, secret_access_key: 'env:BROKER' },
      proof: { regions: [HOME, FAR], endpoints: { [FAR]: sandbox.endpoint } },
    },
    secrets: { 'env:BROKER': keys.secretAccessKey },
    target: { role_arn: role.arn },
    intent: [TICKET],
  })
  return { house, sandbox, ledger, delays }
}

async function end(house: House, task: Opened, lease: string): Promise<void> {
  const { status } = await house.call(`POST /v1/leases/${lease}/end`, {
    token: task.token,
    body: {},
  })
  expect(status).toBe(200)
}

// biome-ignore lint/suspicious/noExplicitAny: a lease as the API shows it
async function shown(house: House, lease: string): Promise<any> {
  return (await house.as('admin', `GET /v1/leases/${lease}`)).body
}

/** An end asks again within half a minute. */
async function proved(house: House, lease: string): Promise<void> {
  for (let waited = 0; waited < 2 * MINUTE; waited += 500) {
    if ((await shown(house, lease)).containment === 'proved') return
    await house.pass(500)
  }
  throw new Error(`${lease} was not proved`)
}

/** In steps that leave what time sets off the real time it takes. */
async function passing(house: House, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) await house.pass(500)
}
