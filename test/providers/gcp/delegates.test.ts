import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gcp } from '../../../providers/gcp/index.ts'
import type { Provider } from '../../../src/provider.ts'
import { type GcpSandbox, MINT_PERMISSIONS } from '../../sandbox/gcp/index.ts'
import {
  createProvider,
  MINT_TOKEN,
  orderFor,
  POOL,
  read,
  settingsFor,
  startSandbox,
  storageWith,
  TestClock,
  tokenOf,
} from './fixture.ts'

const [FIRST = ''] = POOL
const HOP = 'hop@acme-central.iam.gserviceaccount.com'
const LAST_HOP = 'last-hop@acme-central.iam.gserviceaccount.com'
const TARGET = { service_accounts: [FIRST], delegates: [HOP, LAST_HOP] }

describe('a chain of delegates', () => {
  let sandbox: GcpSandbox
  let provider: Provider
  let clock: TestClock
  let settings: unknown

  beforeEach(async () => {
    ;({ sandbox } = await startSandbox(0))
    sandbox.addServiceAccount(HOP, [])
    sandbox.addServiceAccount(LAST_HOP, [])
    sandbox.addDelegation(HOP, LAST_HOP)
    sandbox.addDelegation(LAST_HOP, FIRST)
    // Of the pool itself the mint identity may make no tokens.
    sandbox.addBroker(MINT_TOKEN, [
      { permissions: ['iam.serviceAccounts.implicitDelegation'], accounts: [HOP] },
    ])
    clock = new TestClock()
    settings = settingsFor(sandbox)
    provider = createProvider({ settings, clock, targets: [TARGET] })
  })
  afterEach(async () => {
    await provider.close()
    await sandbox.close()
  })

  const orderOver = (delegates?: string[]) => {
    const chain = delegates === undefined ? {} : { delegates }
    const target = gcp.target.parse({ service_accounts: [FIRST], ...chain })
    return orderFor({ settings, clock, target })
  }

  it('P4: a token made over the chain is the last account’s, narrowed as ever', async () => {
    const minted = await provider.mint(orderOver([HOP, LAST_HOP]))
    expect(minted.credential.service_account).toBe(FIRST)
    const storage = storageWith(tokenOf(minted), sandbox)
    expect(await read(storage, 'tickets', '4711/mail.txt')).toBe('the printer burns')
    expect(await read(storage, 'tickets', '4712/mail.txt')).toBeUndefined()
  })

  it.each([
    ['without the chain', undefined],
    ['with a step left out', [HOP]],
    ['in another order', [LAST_HOP, HOP]],
  ])('P1: %s nothing is minted, and that is sure', async (_, delegates) => {
    await expect(provider.mint(orderOver(delegates))).rejects.toMatchObject({
      outcome: 'refused',
      upstreamCode: 'PERMISSION_DENIED',
    })
  })

  it('P1: a delegate that is disabled breaks the chain', async () => {
    sandbox.setDisabled(LAST_HOP, true)
    await expect(provider.mint(orderOver([HOP, LAST_HOP]))).rejects.toMatchObject({
      outcome: 'refused',
    })
  })

  it('doctor looks at the first step, which is all that Google tells', async () => {
    const warnings = async () =>
      (await provider.check()).filter(({ level }) => level === 'warning').map(({ what }) => what)
    expect(await warnings()).toEqual([])
    sandbox.addBroker(MINT_TOKEN, [{ permissions: MINT_PERMISSIONS, accounts: [FIRST] }])
    expect(await warnings()).toEqual([
      `${FIRST}: the mint identity may not make tokens for it by way of ${HOP}`,
    ])
  })

  it('P4: an account that is lent is no delegate, in one target or another', async () => {
    const own = { service_accounts: [FIRST, HOP], delegates: [HOP] }
    expect(gcp.target.safeParse(own).success).toBe(false)
    const targets = [TARGET, { service_account: HOP, shared: true }]
    const doubled = createProvider({ settings, clock, targets })
    const blocking = (await doubled.check()).filter(({ level }) => level === 'blocking')
    expect(blocking.map(({ what }) => what)).toContainEqual(
      expect.stringContaining(`${HOP}: is lent`),
    )
    await doubled.close()
  })
})
