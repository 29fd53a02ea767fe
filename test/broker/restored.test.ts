import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sweepExpiry } from '../../src/lifecycle/expiry.ts'
import { planningHouse } from '../fixture/delegation.ts'
import { type Api, OPENING, testApi } from '../fixture/http.ts'
import { KeyHolder } from '../fixture/key-holder.ts'
import { introspected, ownApi, tokenOf } from '../fixture/own-api.ts'
import { restoring } from '../fixture/restoring.ts'

const WHY = { reason: 'the disk died; looked at every upstream' }

const confirm = (api: Api) => api.as('admin', 'POST /v1/restore/confirm', WHY)
const withheldAt = async (api: Api) => (await api.call('GET /readyz')).body.withheld
const eventsOf = async (api: Api, type: string) => {
  await api.store.ready()
  return (await api.store.audit.read(0, 1_000)).filter((event) => event.type === type)
}

describe('an older database that was put back', () => {
  it('P8: nothing is opened, issued, renewed or permitted until an operator confirms', async () => {
    const house = await restoring(testApi)
    const task = await house.api().open()
    const { lease } = (await house.api().issue(task)).body
    house.copy()
    await house.api().advance(1_000)
    expect((await house.api().issue(task)).status).toBe(201)
    const api = await house.restore()
    await api.advance(1_000)

    expect(await withheldAt(api)).toContain('an older database was put in place')
    const { status, body } = await api.issue(task)
    expect([status, body.code]).toEqual([503, 'not_revocable_now'])
    const renew = `POST /v1/leases/${lease.id}/renew`
    expect(await api.refusal(renew, { token: task.token, body: {} })).toBe('503 not_revocable_now')
    const token = await api.evidence()
    expect(await api.refusal('POST /v1/tasks', { token, body: OPENING })).toBe('503 unavailable')
    const decisions = (await api.as('admin', 'GET /v1/decisions?outcome=deny')).body.items
    expect(decisions[0].rails).toEqual(['restored'])
    expect(api.upstream.minted).toHaveLength(2)

    const confirmed = await confirm(api)
    expect(confirmed.status).toBe(202)
    expect(await withheldAt(api)).toBeUndefined()
    await api.advance(1)
    const next = await api.open()
    expect((await api.issue(next)).status).toBe(201)
    await api.advanceKills()
    expect((await api.issue(next)).status).toBe(201)
  })

  it('P8: what it brings back to life is ended by the confirmation', async () => {
    const house = await restoring(testApi)
    const task = await house.api().open()
    const { lease } = (await house.api().issue(task)).body
    house.copy()
    const order = { selector: { task: task.id }, reason: 'leaked' }
    await house.api().as('responder', 'POST /v1/kills', order)
    await house.api().advanceKills()
    const api = await house.restore()
    expect((await api.store.tasks.byId(task.id as never))?.state).toBe('open')

    const { kill } = (await confirm(api)).body
    expect(kill).toMatchObject({
      selector: { all: true },
      reason: WHY.reason,
      ordered_by: 'operator:admin',
      counts: { leases: 1, tasks: 1 },
    })
    expect((await api.issue(task)).body.code).toBe('task_ended')
    await api.advanceKills()
    expect(await api.store.leases.byId(lease.id)).toMatchObject({
      state: 'ending',
      cause: 'killed',
    })
    expect(await api.store.tasks.byId(task.id as never)).toMatchObject({ state: 'ended' })
  })

  it('P6: ends, kills, signals and heartbeats work meanwhile', async () => {
    const house = await restoring(testApi)
    const [task, other] = [
      await house.api().open({ heartbeat_seconds: 30 }),
      await house.api().open(),
    ]
    const { lease } = (await house.api().issue(task)).body
    const second = (await house.api().issue(other)).body.lease
    house.copy()
    await house.api().issue(task)
    const api = await house.restore()
    const { token } = task
    expect(
      (await api.call(`POST /v1/tasks/${task.id}/heartbeat`, { token, body: {} })).status,
    ).toBe(200)
    const ended = await api.call(`POST /v1/leases/${lease.id}/end`, { token, body: {} })
    expect(ended.body.state).toBe('ending')
    const order = { selector: { task: other.id }, reason: 'leaked' }
    expect((await api.as('responder', 'POST /v1/kills', order)).status).toBe(202)
    await api.advanceKills()
    expect((await api.store.leases.byId(second.id))?.state).toBe('ending')
    const delivery = api.delivery({ subject: { agent: 'biller' }, level: 'HIGH', reason: 'odd' })
    expect((await api.call('POST /v1/signals/siem', delivery)).status).toBe(202)
    expect((await api.as('admin', 'GET /v1/blocks')).body.items).toHaveLength(1)
    expect(await withheldAt(api)).toBeDefined()
  })

  it('P10: evidence from before the start opens nothing, newer does', async () => {
    const house = await restoring(testApi, {
      change: (doc) => {
        doc.issuers[0].one_time = true
      },
    })
    const used = await house.api().evidence({ jti: 'once' })
    house.copy()
    const opened = await house.api().call('POST /v1/tasks', { token: used, body: OPENING })
    expect(opened.status).toBe(201)
    await house.api().advance(1_000)
    const api = await house.restore()
    await confirm(api)
    expect(await api.refusal('POST /v1/tasks', { token: used, body: OPENING })).toBe(
      '401 unauthenticated',
    )
    await house.restart()
    const later = house.api()
    expect(await later.refusal('POST /v1/tasks', { token: used, body: OPENING })).toBe(
      '401 unauthenticated',
    )
    const token = await later.evidence({ jti: 'twice' })
    expect((await later.call('POST /v1/tasks', { token, body: OPENING })).status).toBe(201)
  })

  it('P10: the first key of an instance is not forgotten: evidence that showed it is void', async () => {
    const house = await restoring(testApi)
    const evidence = await house.api().evidence()
    house.copy()
    const first = await KeyHolder.of(house.api())
    const line = 'POST /v1/tasks'
    expect((await first.call(line, evidence, { body: OPENING })).status).toBe(201)
    await house.api().advance(1_000)
    const api = await house.restore()
    await confirm(api)
    const thief = await KeyHolder.of(api)
    expect((await thief.call(line, evidence, { body: OPENING })).status).toBe(401)
    expect(await api.refusal(line, { token: evidence, body: OPENING })).toBe('401 unauthenticated')
  })

  it('P10: a DPoP proof that was used since the copy is not good again', async () => {
    const house = await restoring(testApi)
    const holder = await KeyHolder.of(house.api())
    const task = await holder.open()
    house.copy()
    await holder.learnNonce()
    const line = `GET /v1/tasks/${task.id}`
    const proof = await holder.proof(line, task.token)
    expect((await holder.send(line, task.token, proof)).status).toBe(200)
    await house.api().as('responder', 'POST /v1/kills', { selector: { agent: 'x' }, ...WHY })
    await house.api().advance(1_000)
    const api = await house.restore()
    const again = holder.at(api)
    expect((await again.send(line, task.token, proof)).status).toBe(401)
    expect((await again.call(line, task.token)).status).toBe(200)
  })

  it('a delegation that may have been used since opens nothing', async () => {
    const house = await restoring(planningHouse)
    const planner = await house.api().open()
    const { token } = (await house.api().delegate(planner, 'reader')).body
    house.copy()
    expect((await house.api().take(token, 'reader')).status).toBe(201)
    await house.api().advance(1_000)
    const api = await house.restore()
    // The planner, opened anew, could not lend it life either: it is void by its age alone.
    const store = api.store as { restoration: () => unknown }
    store.restoration = () => undefined
    const taken = await api.take(token, 'reader')
    expect([taken.status, taken.body.code]).toEqual([404, 'not_found'])
    const [refused] = (await api.as('admin', 'GET /v1/decisions?outcome=deny')).body.items
    expect(refused.reasons[0]).toMatch(/was made before an older database was restored/)
  })

  it('P6: introspection honours no token whose end the copy does not know of', async () => {
    const house = await restoring(ownApi)
    const { task, lease, token } = await tokenOf(house.api())
    house.copy()
    await house.api().call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
    expect((await introspected(house.api(), token)).body).toEqual({ active: false })
    const api = await house.restore()
    expect((await api.store.leases.byId(lease as never))?.state).toBe('active')
    expect((await introspected(api, token)).body).toEqual({ active: false })
  })

  it('P6: what may have been renewed since is not called dead at its old expiry', async () => {
    const house = await restoring(testApi)
    const task = await house.api().open()
    const { lease } = (await house.api().issue(task)).body
    house.copy()
    await house.api().advance(200_000)
    const renew = `POST /v1/leases/${lease.id}/renew`
    const renewed = (await house.api().call(renew, { token: task.token, body: {} })).body
    const truth = Date.parse(renewed.lease.native_expires_at)
    const { upstream } = house.api()
    const secret = upstream.minted.at(-1)?.secret ?? ''
    upstream.revoke = 'fail'

    const { broker, clock } = await house.restore()
    const shown = async () => (await house.api().as('admin', `GET /v1/leases/${lease.id}`)).body
    expect(Date.parse((await shown()).exposed_until)).toBeGreaterThanOrEqual(truth)
    await house.api().advance(Date.parse(lease.native_expires_at) + 60_000 - clock.now())
    await sweepExpiry(broker)
    await sweepExpiry(broker)
    expect(upstream.works(secret, clock.now())).toBe(true)
    expect((await shown()).state).toBe('ending')
  })

  it('P6: providers are told from when on they do not know what was done upstream', async () => {
    const house = await restoring(testApi)
    const { lease } = (await house.api().issue(await house.api().open())).body
    const end = (api: Api) => api.as('admin', `POST /v1/leases/${lease.id}/end`, {})
    house.copy()
    await end(house.api())
    expect(house.api().store.writer.restoredAt).toBeUndefined()
    const known = () => house.api().store.writer.latestExpiry(lease.upstream_name)
    expect(known()).toEqual(expect.any(Number))
    const { store, clock } = await house.restore()
    expect(store.writer.restoredAt).toBe(clock.now())
    await end(house.api())
    expect(known()).toBeUndefined()
    await house.api().advance(60_000)
    const { restoredAt } = (await house.restart()).store.writer
    expect(restoredAt).toBe(clock.now() - 60_000)
  })

  it('P12: what was found and who confirmed it is in the audit log', async () => {
    const house = await restoring(testApi)
    house.copy()
    await house.api().open()
    const api = await house.restore()
    const at = new Date(api.clock.now()).toISOString()
    const found = { actor: 'mayfly', data: { epoch: 2, detected_at: at } }
    expect(await eventsOf(api, 'restore.detected')).toMatchObject([found])
    const { kill } = (await confirm(api)).body
    expect(await eventsOf(api, 'restore.confirmed')).toMatchObject([
      { actor: 'operator:admin', data: { epoch: 2, detected_at: at, kill: kill.id } },
    ])
  })

  it('is confirmed by an administrator alone, and once', async () => {
    const house = await restoring(testApi)
    expect((await confirm(house.api())).body.code).toBe('conflict')
    house.copy()
    await house.api().open()
    const api = await house.restore()
    for (const operator of ['responder', 'auditor', 'approver'] as const) {
      const { status } = await api.as(operator, 'POST /v1/restore/confirm', WHY)
      expect([operator, status]).toEqual([operator, 403])
    }
    expect((await confirm(api)).status).toBe(202)
    expect((await confirm(api)).body.code).toBe('conflict')
  })
})

describe('noticing it', () => {
  it('works to the last commit: a broker killed right after it is no exception', async () => {
    const house = await restoring(testApi)
    const task = await house.api().open()
    house.copy()
    expect((await house.api().issue(task)).status).toBe(201)
    expect(await withheldAt(await house.restore('killed'))).toBeDefined()
  })

  it('outlives restarts and kills until it is confirmed, and the confirmation outlives them too', async () => {
    const house = await restoring(testApi)
    house.copy()
    await house.api().open()
    await house.restore()
    expect(await withheldAt(await house.restart('killed'))).toBeDefined()
    const api = await house.restart()
    expect(await withheldAt(api)).toBeDefined()
    expect((await eventsOf(api, 'restore.detected')).length).toBeGreaterThan(1)
    expect(api.store.epoch).toBe(2)
    await confirm(api)
    expect(await withheldAt(await house.restart('killed'))).toBeUndefined()
    expect(await withheldAt(await house.restart())).toBeUndefined()
    expect(house.api().store.epoch).toBe(2)
  })

  it('a second restore waits for a second confirmation', async () => {
    const house = await restoring(testApi)
    house.copy()
    await house.api().open()
    await confirm(await house.restore())
    const api = await house.restore()
    expect(await withheldAt(api)).toBeDefined()
    expect(api.store.epoch).toBe(3)
  })

  it('restarts and kills without a restore raise no alarm', async () => {
    const house = await restoring(testApi)
    for (const how of ['stopped', 'killed', 'killed', 'stopped'] as const) {
      await house.api().issue(await house.api().open())
      expect(await withheldAt(await house.restart(how))).toBeUndefined()
    }
    expect(house.api().store.epoch).toBe(1)
  })

  it('an emptied database, a lost or damaged key directory and another database are noticed', async () => {
    const house = await restoring(testApi)
    await house.api().open()
    const { dir } = house
    const kept = join(dir, 'keys', 'generation.json')
    const changes = [
      () => rmSync(kept),
      () => writeFileSync(kept, '{"starts":'),
      () => {
        for (const name of ['mayfly.db', 'mayfly.db-wal', 'mayfly.db-shm'])
          rmSync(join(dir, name), { force: true })
      },
    ]
    for (const change of changes) {
      const api = await house.restartAfter(change)
      expect(await withheldAt(api)).toBeDefined()
      await confirm(api)
      await api.open()
    }
    const other = await restoring(testApi)
    for (let n = 0; n < 5; n += 1) await other.restart()
    for (let n = 0; n < 20; n += 1) await other.api().open()
    await other.api().store.close()
    const api = await house.restartAfter(() => {
      for (const name of ['mayfly.db', 'mayfly.db-wal']) rmSync(join(dir, name), { force: true })
      writeFileSync(join(dir, 'mayfly.db'), readFileSync(join(other.dir, 'mayfly.db')))
    })
    expect(await withheldAt(api)).toBeDefined()
  })
})
