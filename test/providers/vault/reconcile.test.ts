import { describe, expect, it, onTestFinished } from 'vitest'
import { vault as definition } from '../../../providers/vault/index.ts'
import { META_LEASE } from '../../../providers/vault/upstream.ts'
import { ManualTime } from '../../fixture/time.ts'
import { upstreamHouse } from '../../fixture/upstream-house.ts'
import { startVaultUpstream, statusAs } from './upstream.ts'

async function house() {
  const time = new ManualTime()
  const { vault, settings, secrets } = await startVaultUpstream({ now: time.wall })
  onTestFinished(() => vault.close())
  const one = await upstreamHouse({
    time,
    definition,
    settings,
    secrets,
    target: { kind: 'token' },
    intent: [{ type: 'vault', actions: ['read'], locations: ['secret/data/tickets/*'] }],
  })
  const reads = (token: string) => statusAs(vault, token, { path: 'secret/data/tickets/4711' })
  const tokenFor = async (name: string) => {
    const policy = 'path "secret/data/tickets/*" { capabilities = ["read"] }'
    await vault.root('POST', `sys/policies/acl/${name}`, { policy })
    const made = await vault.root('POST', 'auth/token/create/mayfly', {
      policies: [name],
      meta: { [META_LEASE]: name },
      ttl: '10m',
    })
    return String(made.auth?.client_token)
  }
  return { one, vault, reads, tokenFor }
}

describe('reconciling a Vault namespace', () => {
  it('P6: a token that appears under an ended lease is ended, and so is its policy', async () => {
    const { one, vault, reads, tokenFor } = await house()
    const { task, lease, credential } = await one.lend()
    expect(await reads(credential.token ?? '')).toBe(200)
    await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
    await one.until(lease, 'proved')
    expect(await reads(credential.token ?? '')).toBe(403)

    const late = await tokenFor(`mf-${lease.slice('lease_'.length)}`)
    expect(await reads(late)).toBe(200)
    await one.pass(10)
    const { body } = await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })
    expect(body.items[0].findings).toContainEqual(
      expect.objectContaining({ kind: 'containment-lost', works: true, lease, repair: 'done' }),
    )
    await one.until(lease, 'proved')
    expect(await reads(late)).toBe(403)
    const again = await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })
    expect(again.body.items[0].findings).toEqual([])
    expect(vault.ledger.working().filter(({ name }) => name !== undefined)).toEqual([])
  })

  it('P6: by itself it is found within two minutes of a start', async () => {
    const { one, reads, tokenFor } = await house()
    const { task, lease } = await one.lend()
    await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
    await one.until(lease, 'proved')
    const late = await tokenFor(`mf-${lease.slice('lease_'.length)}`)
    await one.pass(121_000)
    await one.pass(5_000)
    expect(await reads(late)).toBe(403)
  })

  it('P6: a token of an unknown lease is told and not touched', async () => {
    const { one, reads, tokenFor } = await house()
    const foreign = await tokenFor('mf-aaaaaaaaaaaaaaaaaaaa')
    const { body } = await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })
    expect(body.items[0].findings).toMatchObject([
      { kind: 'unknown-lease', repair: 'none' },
      { kind: 'unknown-lease', repair: 'none', works: true },
    ])
    await one.pass(5_000)
    expect(await reads(foreign)).toBe(200)
  })

  it('an active lease whose token somebody revoked is told', async () => {
    const { one, vault } = await house()
    const { lease, credential } = await one.lend()
    await vault.root('POST', 'auth/token/revoke', { token: credential.token ?? '' })
    await vault.root('DELETE', `sys/policies/acl/mf-${lease.slice('lease_'.length)}`)
    await one.pass(61_000)
    const { body } = await one.as('admin', 'POST /v1/reconcile', { provider: 'real' })
    expect(body.items[0].findings).toMatchObject([{ kind: 'died-early', lease, repair: 'none' }])
  })
})
