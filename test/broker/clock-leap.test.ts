import { expect, it } from 'vitest'
import { sweepExpiry } from '../../src/lifecycle/expiry.ts'
import { sweepSilence } from '../../src/lifecycle/silence.ts'
import { lasting } from '../fixture/behind.ts'
import { OPENING, testApi } from '../fixture/http.ts'
import { ManualTime } from '../fixture/time.ts'

const YEARS = 3 * 365 * 86_400_000

async function leapt() {
  const place = lasting()
  const time = new ManualTime()
  const api = await testApi({ ...place, time })
  const task = await api.open()
  const { lease } = (await api.issue(task)).body
  const before = api.clock.now()
  time.stepWall(YEARS)
  return { api, place, time, task, lease, before }
}

it('P5: while the clock stands years ahead nothing is opened, issued or renewed', async () => {
  const { api, time, task, lease } = await leapt()
  const token = await api.evidence()
  const asTask = { token: task.token, body: {} }
  expect(await api.refusal('POST /v1/tasks', { token, body: OPENING })).toBe('503 unavailable')
  const refusal = await api.issue(task)
  expect(refusal.body.code).toBe('not_revocable_now')
  expect(Number(refusal.headers.get('retry-after'))).toBeGreaterThan(0)
  const renew = `POST /v1/leases/${lease.id}/renew`
  expect(await api.refusal(renew, asTask)).toBe('503 not_revocable_now')
  expect(api.upstream.minted).toHaveLength(1)
  const refused = (await api.as('admin', 'GET /v1/decisions?outcome=deny')).body.items
  expect(refused[0].rails).toEqual(['clock'])
  const metrics = await api.call('GET /metrics')
  expect(metrics.text).toContain(`mayfly_clock_leap_seconds ${YEARS / 1000}`)

  time.stepWall(-YEARS)
  expect((await api.issue(task)).status).toBe(201)
})

it('P5: what the leap may have outlived ends at once, and is called dead by the earlier clock only', async () => {
  const { api, task, lease, before } = await leapt()
  await sweepExpiry(api.broker)
  await sweepSilence(api.broker)
  expect(await api.store.tasks.byId(task.id as `task_${string}`)).toMatchObject({
    state: 'ended',
    cause: 'task-deadline',
    endedAt: before,
  })
  expect(await api.store.leases.byId(lease.id)).toMatchObject({
    state: 'ending',
    cause: 'expired',
    dueAt: before,
  })
})

it('P8: kills still work in it', async () => {
  const { api, lease } = await leapt()
  const order = { selector: { agent: 'summariser' }, reason: 'odd' }
  expect((await api.as('responder', 'POST /v1/kills', order)).status).toBe(202)
  await api.advanceKills()
  expect(await api.store.leases.byId(lease.id)).toMatchObject({ state: 'ending', cause: 'killed' })
})

it('P5: its time is never remembered: a restart with the clock set right is as if it never was', async () => {
  const { api, place, time, before } = await leapt()
  await api.store.ready()
  await api.store.close()
  time.stepWall(-YEARS)
  const again = await testApi({ ...place, time, issuer: api.issuer })
  expect(again.store.highWater).toBe(before)
  expect(again.clock.now()).toBe(before)
})
