import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { testApi } from '../fixture/http.ts'
import { brokerDouble } from './broker-double.ts'
import { mayfly, mayflyProcess } from './run-mayfly.ts'

/** A killed lease, its receipt and that of the kill as the API answers them, and files of them. */
async function killed() {
  const api = await testApi()
  const { lease } = (await api.issue(await api.open())).body
  const order = { selector: { agent: 'summariser' }, reason: 'odd' }
  const { kill } = (await api.as('responder', 'POST /v1/kills', order)).body
  await api.advanceKills()
  const ofLease = (await api.as('admin', `GET /v1/leases/${lease.id}/receipt`)).body
  const ofKill = (await api.as('admin', `GET /v1/kills/${kill.id}/receipt`)).body
  const keys = (await api.call('GET /v1/receipt-keys')).body
  const broker = await brokerDouble({
    [`GET /v1/leases/${lease.id}/receipt`]: ofLease,
    [`GET /v1/kills/${kill.id}/receipt`]: ofKill,
    'GET /v1/receipt-keys': keys,
  })
  onTestFinished(broker.close)
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-receipt-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text)
    return join(dir, name)
  }
  return { lease: lease.id, kill: kill.id, ofLease, ofKill, file, env: { MAYFLY_URL: broker.url } }
}

it('receipt reads out what became of a lease or a kill', async () => {
  const { lease, kill, env } = await killed()
  const one = await mayfly(['receipt', lease], env)
  expect(one.code).toBe(0)
  expect(one.stdout).toContain(`receipt of ${lease}, by test-house`)
  expect(one.stdout).toMatch(
    /ending \(pending\), killed by operator:responder; it may still work until 20\S+Z at the latest, 300 s after the order/,
  )
  const all = await mayfly(['receipt', kill], env)
  expect(all.stdout).toContain('1 leases: 1 pending; anything of it could work until')
})

it('what was kept verifies in a process of its own, without any broker', async () => {
  const { lease, kill, ofLease, env, file } = await killed()
  const jws = file('lease.jws', (await mayfly(['receipt', '--jws', lease], env)).stdout)
  const json = file('kill.json', (await mayfly(['--json', 'receipt', kill], env)).stdout)
  const jwks = file('keys.json', (await mayfly(['receipt', 'keys'], env)).stdout)
  for (const kept of [jws, json]) {
    const { code, stdout } = await mayflyProcess(['receipt', 'verify', kept, '--jwks', jwks])
    expect(code, stdout).toBe(0)
    for (const part of ['valid: signed with key', 'shown: ', 'not shown: what came after as_of']) {
      expect(stdout).toContain(part)
    }
  }
  const printed = await mayfly(['--json', 'receipt', 'verify', jws, '--jwks', jwks])
  expect(JSON.parse(printed.stdout)).toMatchObject({ ok: true, claims: ofLease.claims })
})

it('what was changed, or signed by another broker, is not valid', async () => {
  const { ofLease, file } = await killed()
  const other = await killed()
  const jws = file('lease.jws', ofLease.jws)
  const theirs = file('theirs.json', (await mayfly(['receipt', 'keys'], other.env)).stdout)
  const foreign = await mayfly(['receipt', 'verify', jws, '--jwks', theirs])
  expect([foreign.code, foreign.stdout]).toEqual([1, 'NOT VALID: no key of the set signed it\n'])
  const bent = file('bent.jws', ofLease.jws.replace('.', '.e30'))
  const { code, stdout } = await mayfly(['--json', 'receipt', 'verify', bent, '--jwks', theirs])
  expect([code, JSON.parse(stdout)]).toMatchObject([1, { ok: false }])
})

it('files that hold no receipt or no keys are a matter of usage or not valid', async () => {
  const { ofLease, file } = await killed()
  const keys = file('keys.json', '{"keys":[{"kty":"RSA"}]}')
  const jws = file('lease.jws', ofLease.jws)
  expect((await mayfly(['receipt', 'verify', jws, '--jwks', keys])).stdout).toBe(
    'NOT VALID: the key set is not one of receipts\n',
  )
  expect((await mayfly(['receipt', 'verify', jws, '--jwks', '/nowhere'])).code).toBe(2)
  expect((await mayfly(['receipt', 'verify', file('x', '{}'), '--jwks', keys])).code).toBe(2)
  expect((await mayfly(['receipt', 'verify', jws])).code).toBe(2)
})
