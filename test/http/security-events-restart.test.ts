import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { CAEP, RISC, testTransmitter } from '../fixture/events.ts'
import { ManualTime } from '../fixture/time.ts'
import { startIssuer } from '../identity/issuer-server.ts'

test('P6: an event counts once and in its order, also across a restart', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-events-'))
  const issuer = await startIssuer()
  onTestFinished(async () => {
    await issuer.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const options = { dir, issuer, time: new ManualTime() }
  const before = await testTransmitter({}, options)
  const revoked = before.set(`${CAEP}session-revoked`, {}, { jti: 'once' })
  const now = Math.floor(before.clock.now() / 1000)
  const account = (type: string, event_timestamp: number, jti: string) =>
    before.set(`${RISC}account-${type}`, { event_timestamp }, { jti })
  expect((await before.push(revoked)).status).toBe(202)
  expect((await before.push(account('disabled', now - 5, 'later'))).status).toBe(202)
  const blocks = (await before.as('admin', 'GET /v1/blocks')).body.items
  await before.store.close()

  const after = await testTransmitter({}, options)
  expect((await after.push(revoked)).status).toBe(202)
  expect((await after.push(account('enabled', now - 10, 'earlier'))).status).toBe(202)
  expect((await after.as('admin', 'GET /v1/blocks')).body.items).toEqual(blocks)
  const risk = (await after.as('admin', 'GET /v1/risk')).body.items
  expect(risk.map((one: { level: string }) => one.level)).toEqual(['HIGH', 'HIGH'])
})
