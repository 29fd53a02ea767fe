import { expect, it } from 'vitest'
import { POOL, VIEW_TICKETS } from './fixture.ts'
import { gcpHouse } from './gcp-house.ts'

async function house(accounts: readonly string[]) {
  const { house: one, sandbox } = await gcpHouse({ accounts, propagationMs: 1_000 })
  const slots = async () =>
    (await one.call('GET /metrics')).text
      .split('\n')
      .filter((line) => line.startsWith('mayfly_pool_slots'))
      .map((line) => line.replace(/.*state="(\w+)"\} /, '$1 '))
  return { one, sandbox, slots }
}

it('P17: a pool that is spent says when its first account is free again, and is refilled', async () => {
  const { one, sandbox, slots } = await house(POOL.slice(0, 2))
  const [first = ''] = POOL
  const lent = await one.lend()
  await one.pass(100_000)
  await one.lend()
  expect(await slots()).toEqual(['free 0', 'leased 2', 'quarantined 0'])
  await one.call(`POST /v1/leases/${lent.lease}/end`, { token: lent.task.token, body: {} })
  await one.until(lent.lease, 'enforced')
  expect(await slots()).toEqual(['free 0', 'leased 1', 'quarantined 1'])

  const task = await one.open({ intent: [{ ...VIEW_TICKETS[0], identifier: 'real' }] })
  const refused = await one.ask(task)
  expect(refused.status).toBe(429)
  expect(refused.body.code).toBe('limit_reached')
  // 300 s tokens and 30 s for clocks, 100 s of which are over.
  const wait = Number(refused.headers.get('retry-after'))
  expect(wait).toBeGreaterThan(215)
  expect(wait).toBeLessThanOrEqual(230)

  sandbox.faults.plan('enable', { kind: 'fail', status: 503 }, 1)
  await one.pass(wait * 1_000)
  for (let n = 0; n < 40 && sandbox.isDisabled(first); n += 1) await one.pass(10_000)
  expect(sandbox.isDisabled(first)).toBe(false)
  // It is lent again when that has propagated and is seen, for which tries are up to 450 s apart.
  const isFree = async () => (await slots()).some((line) => /^free [12]/.test(line))
  for (let n = 0; n < 60 && !(await isFree()); n += 1) await one.pass(10_000)
  const later = await one.open({ intent: [{ ...VIEW_TICKETS[0], identifier: 'real' }] })
  expect((await one.ask(later)).status).toBe(201)
}, 60_000)

it('an account that somebody disabled is tried last', async () => {
  const { one, sandbox } = await house(POOL)
  const [first = '', second = ''] = POOL
  sandbox.setDisabled(first, true)
  await one.pass(2_000)
  const task = await one.open({ intent: [{ ...VIEW_TICKETS[0], identifier: 'real' }] })
  expect((await one.ask(task)).body.code).toBe('upstream_refused')
  const again = await one.ask(task)
  expect(again.status).toBe(201)
  expect(again.body.credential.service_account).toBe(second)
})
