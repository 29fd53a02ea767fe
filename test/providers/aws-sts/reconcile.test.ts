import { describe, expect, it } from 'vitest'
import { awsHouse, readTicket, writtenDocument } from './aws-house.ts'
import { ROLE } from './bench.ts'

describe('reconciling the deny documents of a role', () => {
  it('P6: an entry that somebody took out of the document is written again', async () => {
    const { house: one, sandbox } = await awsHouse()
    const { task, lease, credential } = await one.lend()
    await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
    await one.until(lease, 'enforced')
    await one.pass(4_000)
    expect(await readTicket(sandbox, credential)).toBe('AccessDenied')

    const [name, text] = writtenDocument(sandbox)
    const upstreamName = `mf-${lease.slice('lease_'.length)}`
    sandbox.putRolePolicy(ROLE, name, text.replaceAll(upstreamName, 'mf-aaaaaaaaaaaaaaaaaaaa'))
    await one.pass(4_000)
    expect(await readTicket(sandbox, credential)).toBe('ok')

    const { body } = await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })
    expect(body.items[0].findings).toMatchObject([
      { kind: 'unknown-lease', upstream_name: 'mf-aaaaaaaaaaaaaaaaaaaa', repair: 'none' },
      { kind: 'containment-lost', upstream_name: upstreamName, lease, repair: 'done' },
    ])
    await one.until(lease, 'enforced')
    await one.pass(4_000)
    expect(await readTicket(sandbox, credential)).toBe('AccessDenied')
    const events = (await one.as('admin', 'GET /v1/audit?limit=500')).body.items
    expect(events.map(({ type }: { type: string }) => type)).toContain('lease.containment_lost')
  })

  it.each([
    ['allows what it refused', { Effect: 'Allow' }],
    ['refuses one action only', { Action: ['s3:PutObject', 's3:DeleteObject'] }],
    ['refuses it elsewhere only', { Resource: 'arn:aws:s3:::elsewhere/*' }],
  ])(
    'P6: a name that still stands where the document %s is not taken for refused',
    async (_, change) => {
      const { house: one, sandbox } = await awsHouse()
      const { task, lease, credential } = await one.lend()
      await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
      await one.until(lease, 'enforced')
      const [name, text] = writtenDocument(sandbox)
      const document = JSON.parse(text)
      Object.assign(document.Statement[0], change)
      sandbox.putRolePolicy(ROLE, name, document)
      await one.pass(4_000)
      expect(await readTicket(sandbox, credential)).toBe('ok')

      const { body } = await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })
      expect(body.items[0].findings).toMatchObject([{ kind: 'containment-lost', lease }])
      await one.until(lease, 'enforced')
      await one.pass(4_000)
      expect(await readTicket(sandbox, credential)).toBe('AccessDenied')
    },
  )
})
