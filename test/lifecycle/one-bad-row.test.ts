import { expect, it } from 'vitest'
import { proved, Scripted, station } from './fixture.ts'

const MANY = 100_000
const DUE = 300

it('P13, P14: one row nobody can read among 100,000 leases keeps neither the start nor the rest', async () => {
  const upstream = new Scripted()
  const one = station({ upstream })
  const task = await one.openTask()
  const pattern = await one.active(task, { expiresAt: one.clock.now() + 3_600_000 })
  const bad = `lease_${'7'.repeat(20)}` as const
  await one.behind((sqlite) => {
    const columns = sqlite.prepare('select name from pragma_table_info(?)').pluck().all('leases')
    const values = columns.map((name) => {
      if (name === 'id') return "'lease_' || printf('%020d', n)"
      if (name === 'upstream_name') return "'mf-' || printf('%020d', n)"
      if (name === 'expires_at')
        return `case when n <= ${DUE} then ${one.clock.now()} else expires_at end`
      return String(name)
    })
    sqlite
      .prepare(
        `with recursive series(n) as (select 1 union all select n + 1 from series where n < ${MANY})
         insert into leases (${columns.join(', ')}) select ${values.join(', ')} from leases, series where id = ?`,
      )
      .run(pattern.id)
    sqlite
      .prepare(
        "update leases set id = ?, upstream_name = 'mf-bad', handle_json = '{' where upstream_name = ?",
      )
      .run(bad, `mf-${'1'.padStart(20, '0')}`)
  })
  const heapBefore = process.memoryUsage().heapUsed
  const began = performance.now()
  await one.restart()
  const readyMs = performance.now() - began
  upstream.revoke = async ({ orders }) => orders.map(proved)
  await one.start()
  expect(readyMs).toBeLessThan(2_000)
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(50 * 1024 ** 2)

  for (let n = 0; n < 20; n += 1) await one.pass(1_000)
  const names = new Set(upstream.names().flat())
  expect(names.size).toBe(DUE - 1)
  expect(names.has('mf-bad')).toBe(false)
  const events = await one.store.audit.read(0, 10_000, { lease: bad })
  expect(events.map(({ type }) => type)).toContain('lease.quarantined')
  // The rest can be killed as ever.
  const last = `lease_${String(MANY).padStart(20, '0')}` as const
  await one.kill({ lease: last })
  await one.pass(1_000)
  expect(await one.lease(last)).toMatchObject({ state: 'ended', cause: 'killed' })
}, 60_000)

it('P13, P14: one row nobody can read among 100,000 tasks keeps neither the start nor the others alive', async () => {
  const upstream = new Scripted()
  upstream.revoke = async ({ orders }) => orders.map(proved)
  const one = station({ upstream })
  const pattern = await one.openTask({ deadline: one.clock.now() + 3_600_000 })
  const bad = `task_${'1'.padStart(20, '0')}` as const
  await one.behind((sqlite) => {
    const columns = sqlite.prepare('select name from pragma_table_info(?)').pluck().all('tasks')
    const values = columns.map((name) => {
      if (name === 'id') return "'task_' || printf('%020d', n)"
      if (name === 'token_hash') return "printf('%064d', n)"
      if (name === 'deadline')
        return `case when n <= ${DUE} then ${one.clock.now()} else deadline end`
      return String(name)
    })
    sqlite
      .prepare(
        `with recursive series(n) as (select 1 union all select n + 1 from series where n < ${MANY})
         insert into tasks (${columns.join(', ')}) select ${values.join(', ')} from tasks, series where id = ?`,
      )
      .run(pattern.id)
    sqlite.prepare("update tasks set intent_json = '{', touched_json = '[' where id = ?").run(bad)
  })
  const began = performance.now()
  await one.restart()
  expect(performance.now() - began).toBeLessThan(2_000)
  const lease = await one.active(pattern)
  await one.start()
  for (let n = 0; n < 10; n += 1) await one.pass(1_000)
  const ended = await one.behind((sqlite) =>
    sqlite.prepare("select count(*) from tasks where state = 'ended'").pluck().get(),
  )
  expect(ended).toBe(DUE)
  await one.restart()
  await one.start()
  await one.kill({ task: pattern.id })
  await one.pass(1_000)
  expect(await one.lease(lease.id)).toMatchObject({ state: 'ended', cause: 'killed' })
}, 60_000)
