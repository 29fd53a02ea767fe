import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { expect, onTestFinished, test } from 'vitest'
import { CAEP, RISC, testTransmitter } from '../fixture/events.ts'
import { mayfly } from './run-mayfly.ts'

test('signal test shows what an event would do, and does none of it', async () => {
  const api = await testTransmitter({ scope: { tenants: ['support'] } })
  await api.issue(await api.open())
  const server = createAdaptorServer({ fetch: api.app.fetch })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-signal-'))
  onTestFinished(() => {
    server.close()
    rmSync(dir, { recursive: true })
  })
  const { port } = server.address() as AddressInfo // a TCP server has one
  const env = { MAYFLY_URL: `http://127.0.0.1:${port}`, MAYFLY_TOKEN: api.operators.admin }
  const run = async (content: string, ...flags: string[]) => {
    const file = join(dir, 'message')
    writeFileSync(file, content)
    return await mayfly([...flags, 'signal', 'test', 'idp', file], env)
  }

  const set = api.set(`${CAEP}session-revoked`)
  const token = await api.issuer.sign({ ...set }, { header: { typ: 'secevent+jwt' } })
  const shown = await run(`${token}\n`)
  expect(shown.code).toBe(0)
  for (const line of [
    `event    ${CAEP}session-revoked`,
    'about    workload=corp/robot tenant=support',
    'level    HIGH',
    'action   kill',
    'for      3600 s',
    'ends     1 lease, 1 task',
  ]) {
    expect(shown.stdout).toContain(line)
  }
  expect(shown.stdout).not.toContain('not checked')

  // Its claims alone, before anybody can sign them.
  const sub_id = { format: 'email', email: 'jane@example.com' }
  const nobody = await run(JSON.stringify(api.set(`${RISC}account-disabled`, {}, { sub_id })))
  expect(nobody.stdout).toContain('about    nobody known here (no agent is configured by this')
  expect(nobody.stdout).toContain('its signature was not checked')

  const forged = await run(`${token.slice(0, -2)}AA`)
  expect([forged.code, forged.stdout]).toEqual([1, expect.stringContaining('refused: invalid_')])

  expect((await api.as('admin', 'GET /v1/signals')).body.items).toEqual([])
  expect((await api.as('admin', 'GET /v1/tasks')).body.items[0].state).toBe('open')
})
