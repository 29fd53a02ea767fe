import { describe, expect, it } from 'vitest'
import { POOL, read, storageWith } from './fixture.ts'
import { gcpHouse } from './gcp-house.ts'

const [FIRST = '', SECOND = ''] = POOL
const PROPAGATION_MS = 120_000

const house = () => gcpHouse({ propagationMs: PROPAGATION_MS })

describe('reconciling a pool of service accounts', () => {
  it('P6: an account that an administrator enabled in quarantine is disabled again', async () => {
    const { house: one, sandbox } = await house()
    const { task, lease, credential } = await one.lend()
    await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
    await one.until(lease, 'enforced')
    await one.pass(PROPAGATION_MS)
    const storage = storageWith(credential.access_token ?? '', sandbox)
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBeUndefined()

    sandbox.setDisabled(FIRST, false)
    const dry = await one.as('admin', 'POST /v1/reconcile', { provider: 'real', dry_run: true })
    expect(dry.body.items).toMatchObject([
      {
        provider: 'real',
        items: POOL.length,
        findings: [{ kind: 'containment-lost', slot: FIRST, lease, repair: 'possible' }],
      },
    ])
    expect(sandbox.isDisabled(FIRST)).toBe(false)
    const { body } = await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })
    expect(body.items[0].findings).toMatchObject([{ kind: 'containment-lost', repair: 'done' }])
    await one.until(lease, 'enforced')
    expect(sandbox.isDisabled(FIRST)).toBe(true)
    const shown = (await one.as('admin', `GET /v1/leases/${lease}`)).body
    expect(shown).toMatchObject({ state: 'ending', cause: 'ended' })
    expect((await one.call('GET /metrics')).text).toContain(
      'mayfly_containment_lost_total{provider="real"} 1',
    )
  })

  it('P6: an account disabled under an active lease is told, with the lease', async () => {
    const { house: one, sandbox } = await house()
    const { lease } = await one.lend()
    sandbox.setDisabled(FIRST, true)
    const { body } = await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })
    expect(body.items[0].findings).toMatchObject([
      { kind: 'died-early', slot: FIRST, lease, repair: 'none', works: false },
    ])
    expect(sandbox.isDisabled(FIRST)).toBe(true)
  })

  it('P6: a free account found disabled is enabled by order only, and not while it may be alive', async () => {
    const { house: one, sandbox } = await house()
    sandbox.setDisabled(SECOND, true)
    const first = (await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })).body
    expect(first.items[0].findings).toMatchObject([
      { kind: 'slot-off', slot: SECOND, repair: 'failed', error: expect.stringContaining('alive') },
    ])
    // The runs by itself that are due meanwhile give nothing back.
    await one.pass(3 * 60_000)
    expect(sandbox.isDisabled(SECOND)).toBe(true)
  })

  it('P11: only who administers may reconcile, and an unknown provider is none', async () => {
    const { house: one } = await house()
    for (const who of ['responder', 'auditor', 'support'] as const) {
      expect((await one.as(who, 'POST /v1/reconcile', {})).status).toBe(403)
    }
    expect((await one.as('admin', 'POST /v1/reconcile', { provider: 'nowhere' })).status).toBe(404)
  })
})
