import { randomBytes } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { stringify } from 'yaml'
import type { LeaseWire, PageWire, ReloadWire, TaskWire } from '../src/model/wire.ts'
import { serve } from '../src/serve.ts'
import { type Doc, document, operatorToken, SIEM_SECRET, SUPPORT_SECRET } from './fixture/broker.ts'
import { FakeUpstream, fakeProvider } from './fixture/fake-provider.ts'
import { TICKET } from './fixture/http.ts'
import { startIssuer } from './identity/issuer-server.ts'

const POLICIES = new URL('../deploy/policies', import.meta.url).pathname
const FORBID_TICKETS = `@id("no-more-tickets")
forbid (principal, action == Mayfly::Action::"requestCredential",
  resource == Mayfly::Entitlement::"tickets-read");
`

describe('a reload', () => {
  test('P7: ends the leases that the new policies would refuse, and no others', async () => {
    const broker = await served()
    const ticket = await broker.issue('robot', TICKET)
    const invoice = await broker.issue('biller', {
      ...TICKET,
      identifier: 'invoices-read',
      locations: ['/invoices/1/*'],
    })
    broker.write('policies/stop.cedar', FORBID_TICKETS)
    expect(await broker.reload()).toMatchObject({ applied: true, would_end: 1 })
    await expect
      .poll(() => broker.lease(ticket.id))
      .toMatchObject({
        state: 'ended',
        cause: 'policy',
        containment: 'proved',
      })
    expect(await broker.lease(invoice.id)).toMatchObject({ state: 'active' })
    expect(broker.upstream.revoked.has(ticket.upstream_name)).toBe(true)
    expect(await broker.issueStatus('robot', TICKET)).toBe(403)
  })

  test('P7: ends the leases that a narrower ceiling does not cover any more', async () => {
    const broker = await served()
    const lease = await broker.issue('robot', TICKET)
    broker.configure((doc) => {
      doc.entitlements[0].ceiling[0].locations = ['/tickets/9/*']
      doc.entitlements[0].datasets = []
    })
    expect(await broker.reload()).toMatchObject({ applied: true, would_end: 1 })
    await expect
      .poll(() => broker.lease(lease.id))
      .toMatchObject({ state: 'ended', cause: 'config' })
  })

  test('P7: ends the tasks of an agent that is not configured any more', async () => {
    const broker = await served()
    const lease = await broker.issue('robot', TICKET)
    broker.configure((doc) => {
      doc.agents = doc.agents.filter((agent: Doc) => agent.id !== 'summariser')
    })
    await broker.reload()
    expect(await broker.task(lease.task)).toMatchObject({ state: 'ended', cause: 'config' })
    await expect.poll(() => broker.lease(lease.id)).toMatchObject({ state: 'ended' })
  })

  test('P16: waits for confirmation when it would end too many leases', async () => {
    const broker = await served((doc) => {
      doc.limits = { reload_max_ended: 1 }
    })
    const leases = [await broker.issue('robot', TICKET), await broker.issue('robot', TICKET)]
    broker.write('policies/stop.cedar', FORBID_TICKETS)
    const waiting = await broker.reload()
    expect(waiting).toMatchObject({ applied: false, would_end: 2, confirm: expect.any(String) })
    expect(waiting.changes.join('\n')).toContain('policies')
    for (const { id } of leases) expect(await broker.lease(id)).toMatchObject({ state: 'active' })
    expect(await broker.reload('ffffffffffff')).toMatchObject({ applied: false })
    expect(await broker.reload(waiting.confirm)).toMatchObject({ applied: true, would_end: 2 })
    for (const { id } of leases) {
      await expect.poll(() => broker.lease(id)).toMatchObject({ state: 'ended' })
    }
  })

  test('P15: leaves the policies that decided before it to be read', async () => {
    const broker = await served()
    const lease = await broker.issue('robot', TICKET)
    broker.write('policies/credentials.cedar', '')
    expect(await broker.reload()).toMatchObject({ applied: true, would_end: 1 })
    await broker.stop()
    await broker.start()
    const path = `/v1/decisions/${lease.decision}/explanation`
    const { body } = await broker.call('GET', path, undefined)
    expect(body.policies).toEqual([
      { id: 'low-impact', file: 'credentials.cedar', text: expect.stringContaining('permit') },
    ])
    expect(body.in_force.outcome).toBe('deny')
  })

  test('takes shadow policies over and lets them go, without ending anything', async () => {
    const broker = await served()
    const first = await broker.issue('robot', TICKET)
    mkdirSync(join(broker.dir, 'next'))
    broker.write('next/stop.cedar', FORBID_TICKETS)
    broker.configure((doc) => {
      doc.policies_shadow = './next'
    })
    expect(await broker.reload()).toMatchObject({
      applied: true,
      would_end: 0,
      changes: ['+ policies_shadow.stop.cedar'],
    })
    const lease = await broker.issue('robot', TICKET)
    await expect
      .poll(async () => {
        const path = '/v1/decisions?shadow_differs=true&limit=1'
        return (await broker.call('GET', path, undefined)).body.items[0]
      })
      .toMatchObject({ id: lease.decision, shadow: { outcome: 'deny' } })
    broker.write('next/stop.cedar', 'permit (')
    const { status, body } = await broker.call('POST', '/v1/reload', {})
    expect([status, body.errors[0].path]).toEqual([422, 'policies_shadow: stop.cedar:1'])
    broker.configure((doc) => {
      delete doc.policies_shadow
    })
    expect(await broker.reload()).toMatchObject({ applied: true })
    expect(await broker.lease(first.id)).toMatchObject({ state: 'active' })
  })

  test('P16: a configuration with mistakes changes nothing and names them all', async () => {
    const broker = await served()
    const lease = await broker.issue('robot', TICKET)
    broker.configure((doc) => {
      doc.limits = { open_tasks_per_agent: 0 }
      doc.entitlements[0].provider = 'nowhere'
    })
    broker.write('policies/bad.cedar', 'permit (principal, action')
    const refused = await broker.call('POST', '/v1/reload', {})
    expect(refused.status).toBe(422)
    expect(refused.body.errors.map((e: { path: string }) => e.path)).toEqual(
      expect.arrayContaining(['limits.open_tasks_per_agent', 'entitlements[0].provider']),
    )
    expect(await broker.lease(lease.id)).toMatchObject({ state: 'active' })
    expect(await broker.issueStatus('robot', TICKET)).toBe(201)
  })

  test('P16: refuses to abandon the live leases of a provider', async () => {
    const broker = await served()
    await broker.issue('robot', TICKET)
    broker.configure((doc) => {
      doc.providers = { other: { type: 'fake' } }
      for (const entitlement of doc.entitlements) entitlement.provider = 'other'
    })
    const refused = await broker.call('POST', '/v1/reload', {})
    expect(refused.body).toMatchObject({
      code: 'config_invalid',
      errors: [{ path: 'providers.upstream', message: expect.stringContaining('still live') }],
    })
  })

  test('P6: refuses to reach another upstream under the name of live leases, which end at theirs', async () => {
    const broker = await served()
    const lease = await broker.issue('robot', TICKET)
    broker.upstream.mint = 'unknown'
    expect(await broker.issueStatus('robot', TICKET)).toBe(503)
    broker.upstream.mint = 'ok'
    const there = broker.upstream.at('there')
    broker.configure((doc) => {
      doc.providers.upstream.address = 'there'
    })
    const refused = await broker.call('POST', '/v1/reload', {})
    expect(refused.status).toBe(422)
    expect(refused.body.errors).toEqual([
      {
        path: 'providers.upstream',
        message: expect.stringMatching(/now reaches fake there, but .* 2 are .* at fake here/),
      },
    ])
    await broker.call('POST', `/v1/leases/${lease.id}/end`, {})
    await expect
      .poll(() => broker.lease(lease.id))
      .toMatchObject({ state: 'ended', containment: 'proved' })
    expect(broker.upstream.revoked.has(lease.upstream_name)).toBe(true)
    expect(there.revokeCalls).toEqual([])
    // The lost mint may still land.
    expect((await broker.call('POST', '/v1/reload', {})).status).toBe(422)
    expect(await broker.issueStatus('robot', TICKET)).toBe(201)
    expect(there.minted).toEqual([])
  })

  test('P6: reaches another upstream once nothing of the old one is left', async () => {
    const broker = await served()
    const lease = await broker.issue('robot', TICKET)
    await broker.call('POST', `/v1/leases/${lease.id}/end`, {})
    await expect.poll(() => broker.lease(lease.id)).toMatchObject({ state: 'ended' })
    broker.configure((doc) => {
      doc.providers.upstream.address = 'there'
    })
    expect(await broker.reload()).toMatchObject({ applied: true })
    const next = await broker.issue('robot', TICKET)
    expect(broker.upstream.at('there').minted).toHaveLength(1)
    await broker.call('POST', `/v1/leases/${next.id}/end`, {})
    await expect.poll(() => broker.lease(next.id)).toMatchObject({ containment: 'proved' })
    expect(broker.upstream.at('there').revoked.has(next.upstream_name)).toBe(true)
    expect(broker.upstream.revoked.has(next.upstream_name)).toBe(false)
  })

  test('P17: what stood against one upstream does not stand against another of its name, or none', async () => {
    const broker = await served()
    await broker.stop()
    broker.upstream.findings = [{ level: 'blocking', what: 'no right to end', fix: 'grant it' }]
    await broker.start()
    const status = () => broker.issueStatus('robot', TICKET)
    await expect.poll(status).toBe(503)
    expect(await broker.metrics()).toContain('mayfly_provider_trouble{provider="upstream"} 1')
    broker.configure((doc) => {
      doc.providers.upstream.address = 'there'
    })
    expect(await broker.reload()).toMatchObject({ applied: true })
    expect(await status()).toBe(201)
    expect(await broker.metrics()).not.toContain('mayfly_provider_trouble{')
  })

  test('P6: takes the new upstream at once under a name of its own; the old leases end at theirs', async () => {
    const broker = await served()
    const lease = await broker.issue('robot', TICKET)
    broker.configure((doc) => {
      doc.providers.newer = { type: 'fake', address: 'there' }
      for (const entitlement of doc.entitlements) entitlement.provider = 'newer'
    })
    expect(await broker.reload()).toMatchObject({ applied: true })
    await broker.issue('robot', TICKET)
    expect(broker.upstream.at('there').minted).toHaveLength(1)
    await broker.call('POST', `/v1/leases/${lease.id}/end`, {})
    await expect.poll(() => broker.lease(lease.id)).toMatchObject({ containment: 'proved' })
    expect(broker.upstream.revoked.has(lease.upstream_name)).toBe(true)
    expect(broker.upstream.at('there').revokeCalls).toEqual([])
  })

  test('P7: what was in flight under old policies is not delivered under new ones', async () => {
    const broker = await served()
    broker.upstream.mint = 'hold'
    const reached = broker.upstream.reached()
    const asked = broker.issueStatus('robot', TICKET)
    await reached
    broker.write('policies/stop.cedar', FORBID_TICKETS)
    await broker.reload()
    broker.upstream.release()
    expect(await asked).toBeGreaterThanOrEqual(403)
    const { items } = (await broker.call('GET', '/v1/leases', undefined))
      .body as PageWire<LeaseWire>
    expect(items.map((lease) => lease.state)).not.toContain('active')
  })

  test('keeps a provider whose settings did not change, and its connections', async () => {
    const broker = await served()
    broker.configure((doc) => {
      doc.limits = { open_tasks_per_agent: 7 }
    })
    expect((await broker.reload()).changes.join('\n')).toContain('open_tasks_per_agent')
    expect(broker.upstream.closed).toBe(0)
  })
})

describe('a restart', () => {
  test('refuses a configuration that would abandon live leases', async () => {
    const broker = await served()
    await broker.issue('robot', TICKET)
    await broker.stop()
    broker.configure((doc) => {
      doc.providers = { other: { type: 'fake' } }
      for (const entitlement of doc.entitlements) entitlement.provider = 'other'
    })
    await expect(broker.start()).rejects.toMatchObject({
      code: 'config_invalid',
      problems: [{ path: 'providers.upstream' }],
    })
  })

  test('P6: refuses to reach another upstream under the name of live leases', async () => {
    const broker = await served()
    const lease = await broker.issue('robot', TICKET)
    await broker.stop()
    const move = (upstream: object) =>
      broker.configure((doc) => {
        doc.providers.upstream = upstream
      })
    for (const elsewhere of [{ type: 'fake', address: 'there' }, { type: 'twin' }]) {
      move(elsewhere)
      await expect(broker.start()).rejects.toMatchObject({
        code: 'config_invalid',
        problems: [{ path: 'providers.upstream', message: expect.stringContaining('fake here') }],
      })
    }
    // What was refused has changed nothing: the old configuration still knows its leases.
    move({ type: 'fake' })
    await broker.start()
    expect(await broker.lease(lease.id)).toMatchObject({ state: 'active' })
    await broker.call('POST', `/v1/leases/${lease.id}/end`, {})
    await expect.poll(() => broker.lease(lease.id)).toMatchObject({ containment: 'proved' })
    expect(broker.upstream.at('there').revokeCalls).toEqual([])
  })

  test('P7: with other policies ends the leases that they would refuse', async () => {
    const broker = await served()
    const lease = await broker.issue('robot', TICKET)
    await broker.stop()
    broker.write('policies/stop.cedar', FORBID_TICKETS)
    await broker.start()
    await expect
      .poll(() => broker.lease(lease.id), { timeout: 5_000 })
      .toMatchObject({ state: 'ended', cause: 'policy' })
  })

  test('P7: gives silent tasks two fresh intervals, and leases live on', async () => {
    const broker = await served()
    const lease = await broker.issue('robot', TICKET, { heartbeat_seconds: 30 })
    const before = await broker.task(lease.task)
    await broker.stop()
    await broker.start()
    const after = await broker.task(lease.task)
    expect(Date.parse(after.heartbeat_due_at ?? '')).toBeGreaterThan(
      Date.parse(before.heartbeat_due_at ?? ''),
    )
    expect(await broker.lease(lease.id)).toMatchObject({ state: 'active' })
  })
})

/** A real broker on files of its own, with the fake upstream, an operator and evidence at hand. */
async function served(change: (doc: Doc) => void = () => {}) {
  const issuer = await startIssuer()
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-reload-'))
  const upstream = new FakeUpstream()
  const doc = document(issuer)
  change(doc)
  mkdirSync(join(dir, 'policies'))
  cpSync(POLICIES, join(dir, 'policies'), { recursive: true })
  const write = (name: string, text: string) => writeFileSync(join(dir, name), text)
  const save = () => write('mayfly.yaml', stringify(doc))
  save()
  const definition = fakeProvider(upstream)
  const begin = () =>
    serve({
      file: join(dir, 'mayfly.yaml'),
      env: { SIEM_SECRET, SUPPORT_SECRET },
      providerTypes: {
        fake: async () => definition,
        twin: async () => ({ ...definition, type: 'twin' }),
      },
      clockSource: {
        wall: Date.now,
        monotonic: () => performance.now(),
        after: (ms, run) => {
          const timer = setTimeout(run, ms)
          return () => clearTimeout(timer)
        },
      },
      random: randomBytes,
      logTo: new Writable({ write: (_line, _encoding, done) => done() }),
      port: 0,
    })
  let broker: Awaited<ReturnType<typeof serve>> | undefined = await begin()
  const stop = async () => {
    await broker?.stop()
    broker = undefined
  }
  onTestFinished(async () => {
    upstream.release()
    await stop()
    await issuer.close()
    rmSync(dir, { recursive: true, force: true })
  })

  const operator = operatorToken('admin')
  const call = async (method: string, path: string, body: unknown, token: string = operator) => {
    const response = await fetch(`${broker?.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    // biome-ignore lint/suspicious/noExplicitAny: tests look at any part of an answer
    return { status: response.status, body: (await response.json()) as any }
  }
  const ask = async (sub: string, item: typeof TICKET, overlay: object) => {
    const iat = Math.floor(Date.now() / 1000)
    const evidence = await issuer.sign({ iss: issuer.url, aud: 'mayfly', sub, iat, exp: iat + 600 })
    const opening = { purpose: 'a test', intent: [item], ...overlay }
    const { body } = await call('POST', '/v1/tasks', opening, evidence)
    const wanted = { entitlement: item.identifier }
    return await call('POST', `/v1/tasks/${body.task.id}/credentials`, wanted, body.token)
  }
  return {
    upstream,
    dir,
    write,
    stop,
    start: async () => {
      broker = await begin()
    },
    configure: (alter: (doc: Doc) => void) => {
      alter(doc)
      save()
    },
    call,
    metrics: async () => (await fetch(`${broker?.url}/metrics`)).text(),
    issue: async (sub: string, item: typeof TICKET, overlay: object = {}): Promise<LeaseWire> => {
      const { status, body } = await ask(sub, item, overlay)
      if (status !== 201) throw new Error(JSON.stringify(body))
      return body.lease
    },
    issueStatus: async (sub: string, item: typeof TICKET) => (await ask(sub, item, {})).status,
    reload: async (confirm?: string): Promise<ReloadWire> =>
      (await call('POST', '/v1/reload', confirm === undefined ? {} : { confirm })).body,
    lease: async (id: string): Promise<LeaseWire> => {
      const { body } = await call('GET', `/v1/leases/${id}`, undefined)
      return body.lease ?? body
    },
    task: async (id: string): Promise<TaskWire> => {
      const { body } = await call('GET', `/v1/tasks/${id}`, undefined)
      return body.task ?? body
    },
  }
}
