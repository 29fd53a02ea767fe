import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Finding, Provider } from '../../../src/provider.ts'
import { type GcpSandbox, MINT_PERMISSIONS, REVOKE_PERMISSIONS } from '../../sandbox/gcp/index.ts'
import {
  createProvider,
  MINT_TOKEN,
  POOL,
  REVOKE_TOKEN,
  SHARED,
  settingsFor,
  startSandbox,
} from './fixture.ts'

const [FIRST = '', SECOND = '', THIRD = ''] = POOL
const TARGETS = [{ service_accounts: POOL }, { service_account: SHARED, shared: true }]

describe('checking Google identities', () => {
  let sandbox: GcpSandbox
  let provider: Provider
  let ahead = 0

  beforeEach(async () => {
    ahead = 0
    ;({ sandbox } = await startSandbox(0, () => Date.now() + ahead))
    provider = createProvider({ settings: settingsFor(sandbox), targets: TARGETS })
  })
  afterEach(async () => {
    await provider.close()
    await sandbox.close()
  })

  async function findings(level: Finding['level']): Promise<readonly string[]> {
    return (await provider.check()).filter((one) => one.level === level).map((one) => one.what)
  }

  it('finds everything in order with the roles of the README', async () => {
    expect(await findings('blocking')).toEqual([])
    expect(await findings('warning')).toEqual([])
    expect(await findings('ok')).toHaveLength(4)
  })

  it('P17: blocks where the revoke identity could not end what is minted', async () => {
    sandbox.addBroker(REVOKE_TOKEN, [
      { permissions: REVOKE_PERMISSIONS, accounts: [FIRST, SECOND] },
      { permissions: ['iam.serviceAccounts.get', 'iam.serviceAccounts.enable'], accounts: [THIRD] },
    ])
    expect(await findings('blocking')).toEqual([
      `${THIRD}: the revoke identity lacks iam.serviceAccounts.disable`,
    ])
  })

  it('warns of an account that the mint identity cannot make tokens for', async () => {
    sandbox.addBroker(MINT_TOKEN, [
      { permissions: MINT_PERMISSIONS, accounts: [FIRST, SECOND, SHARED] },
    ])
    expect(await findings('warning')).toEqual([expect.stringContaining(THIRD)])
  })

  it('warns of rights that are too many', async () => {
    sandbox.addBroker(MINT_TOKEN, [
      { permissions: [...MINT_PERMISSIONS, 'iam.serviceAccountKeys.create'], accounts: '*' },
    ])
    const warnings = await findings('warning')
    expect(warnings).toHaveLength(4)
    expect(warnings[0]).toContain('iam.serviceAccountKeys.create')
  })

  it('shows the accounts that are disabled', async () => {
    sandbox.setDisabled(SECOND, true)
    expect(await findings('warning')).toEqual([`${SECOND}: is disabled`])
  })

  it('P17: blocks when the clocks differ, and says it once', async () => {
    ahead = 45_000
    expect(await findings('blocking')).toEqual([expect.stringContaining('clock differs')])
  })

  it('P17: blocks when Google refuses or cannot be asked', async () => {
    sandbox.faults.plan('testIamPermissions', { kind: 'fail', status: 401 })
    const blocking = await findings('blocking')
    expect(blocking).toHaveLength(4)
    expect(blocking[0]).toContain('UNAUTHENTICATED')
    expect(blocking.join()).not.toContain(MINT_TOKEN)
  })

  it('blocks an account that is in a pool and shared', async () => {
    const targets = [...TARGETS, { service_account: FIRST, shared: true }]
    const doubled = createProvider({ settings: settingsFor(sandbox), targets })
    const blocking = (await doubled.check()).filter((finding) => finding.level === 'blocking')
    expect(blocking.map((finding) => finding.what)).toEqual([expect.stringContaining(FIRST)])
    await doubled.close()
  })
})
