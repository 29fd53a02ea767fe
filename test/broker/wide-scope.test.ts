import { expect, it } from 'vitest'
import { SUPPORT_SECRET } from '../fixture/broker.ts'
import { testApi } from '../fixture/http.ts'

const subject = { workload: 'corp/robot' }

async function scoped(tenants: readonly string[]) {
  return await testApi({
    change: (doc) => {
      doc.signals.sources[1].scope = { tenants }
      const [first] = doc.agents
      for (const tenant of tenants) {
        const match = { issuer: 'corp', claims: { sub: `of-${tenant}` } }
        doc.agents.push({ ...first, id: `agent-of-${tenant}`, tenant, match })
      }
    },
  })
}

it('P8: a source of more tenants than subjects a minute can still have a workload contained', async () => {
  const many = Array.from({ length: 100 }, (_, n) => `tenant-${n}`)
  const api = await scoped(['support', ...many.slice(1)])
  const task = await api.open()
  const { lease } = (await api.issue(task)).body
  const body = { subject, level: 'HIGH', reason: 'stolen token' }
  const sent = api.delivery(body, { secret: SUPPORT_SECRET })
  const { status } = await api.call('POST /v1/signals/siem-support', sent)
  expect(status).toBe(202)
  await api.advanceKills()
  expect(await api.store.leases.byId(lease.id)).toMatchObject({ state: 'ending', cause: 'signal' })
})

it('P12: a message outside its scope that is sent again and again cannot fill the audit log', async () => {
  const api = await scoped(['support'])
  const body = { subject: { tenant: 'billing' }, level: 'HIGH', reason: 'stolen token' }
  const sent = api.delivery(body, { secret: SUPPORT_SECRET })
  const statuses = new Set<number>()
  for (let n = 0; n < 100; n += 1) {
    statuses.add((await api.call('POST /v1/signals/siem-support', sent)).status)
  }
  expect([...statuses]).toEqual([403, 429])
  const events = await api.store.audit.read(0, 1_000)
  expect(events.filter(({ type }) => type === 'signal.refused')).toHaveLength(60)
})
