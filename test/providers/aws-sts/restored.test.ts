import { expect, it } from 'vitest'
import { awsSts } from '../../../providers/aws-sts/index.ts'
import { leaseOfName } from '../../../src/ids.ts'
import { EndingQueue } from '../../../src/lifecycle/ending-queue.ts'
import { SKEW_MS } from '../../../src/model/lifetime.ts'
import { type Api, type Opened, testApi } from '../../fixture/http.ts'
import { realTime } from '../../fixture/real-time.ts'
import { restoring } from '../../fixture/restoring.ts'
import { awsBench } from './bench.ts'

const READ = {
  type: 'aws',
  identifier: 'bucket-read',
  actions: ['s3:GetObject'],
  locations: ['arn:aws:s3:::tickets/4711'],
}

async function endWhatIsDue({ broker }: Api): Promise<void> {
  const queue = new EndingQueue(broker)
  await queue.dispatch()
  await queue.stop()
}

it('P6: a restored database drops no denial of its successor, and nothing unknown outlives its expiry', async () => {
  await using bench = await awsBench()
  const { endpoint, region, brokerCredentials, ledger } = bench.sandbox
  const house = await restoring(testApi, {
    time: realTime,
    providers: [awsSts],
    secrets: { 'env:BROKER': brokerCredentials.secretAccessKey },
    change: (doc) => {
      doc.installation = 'acme'
      doc.providers.aws = {
        type: 'aws-sts',
        region,
        endpoints: { sts: endpoint, iam: endpoint },
        credentials: {
          access_key_id: brokerCredentials.accessKeyId,
          secret_access_key: 'env:BROKER',
        },
      }
      const { identifier: id, ...ceiling } = READ
      const target = { role_arn: bench.roleArn }
      doc.entitlements.push({
        id,
        tenants: ['support'],
        provider: 'aws',
        target,
        ceiling: [ceiling],
      })
    },
  })
  const mint = async (task: Opened) => {
    const issued = await house.api().issue(task, { entitlement: READ.identifier })
    expect(issued.status, issued.text).toBe(201)
    return issued.body.lease
  }
  const works = (name: string) => ledger.working().some((record) => record.name === name)

  const task = await house.api().open({ intent: [READ] })
  const kept = await mint(task)
  house.copy()
  const [killed, unknown] = [await mint(task), await mint(task)]
  const order = { selector: { lease: killed.id }, reason: 'leaked' }
  await house.api().as('responder', 'POST /v1/kills', order)
  await house.api().advanceKills()
  await endWhatIsDue(house.api())
  expect(works(killed.upstream_name)).toBe(false)
  const before = bench.documents()
  expect(Object.values(before).flat()).toContain(killed.upstream_name)

  const api = await house.restore('killed')
  expect(api.store.epoch).toBe(2)
  for (const { id } of [killed, unknown]) expect(await api.store.leases.byId(id)).toBeUndefined()
  const refused = await api.issue(task, { entitlement: READ.identifier })
  expect(refused.body.code).toBe('not_revocable_now')

  const confirmed = await api.as('admin', 'POST /v1/restore/confirm', { reason: 'looked at IAM' })
  expect(confirmed.status).toBe(202)
  await api.advanceKills()
  await endWhatIsDue(api)
  // What the restored broker writes is another document; that of its successor is as it was.
  const after = bench.documents()
  for (const [name, names] of Object.entries(before)) expect(after[name]).toEqual(names)
  expect(after).toHaveProperty('mayfly-acme-1-e2', [kept.upstream_name])
  expect(works(killed.upstream_name)).toBe(false)
  expect(works(kept.upstream_name)).toBe(false)

  // What was minted after the copy and never ended is known to nobody here: it dies by itself, at
  // the expiry it was told, and inventory names it meanwhile.
  const stray = ledger.working().map(({ name = '' }) => name)
  expect(stray).toEqual([unknown.upstream_name])
  expect(leaseOfName(unknown.upstream_name)).toBe(unknown.id)
  bench.pass(Date.parse(unknown.native_expires_at) - Date.now() + SKEW_MS)
  expect(ledger.working()).toEqual([])
})
