import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type LeaseBench, startLeaseBench } from './lease-bench.ts'
import { MINT_POLICY, REVOKE_POLICY } from './upstream.ts'

describe('what doctor says about vault', () => {
  let bench: LeaseBench
  beforeEach(async () => {
    bench = await startLeaseBench()
  })
  afterEach(() => bench.close())

  it('finds nothing wrong with the identities and the role of the operator page', async () => {
    const levels = (await bench.provider.check()).map((finding) => finding.level)
    expect(new Set(levels)).toEqual(new Set(['ok']))
  })

  it.each([
    ['mint', MINT_POLICY, 'sys/policies/acl/mf-*'],
    ['mint', MINT_POLICY, 'auth/token/create/mayfly'],
    ['revoke', REVOKE_POLICY, 'sys/policies/acl/mf-*'],
    ['revoke', REVOKE_POLICY, 'auth/token/revoke-accessor'],
    ['revoke', REVOKE_POLICY, 'sys/leases/revoke'],
  ])('P17: blocks while the %s identity lacks what it needs (%#)', async (who, policy, path) => {
    await replacePolicy(who, without(policy, path))
    expect(await bench.provider.check()).toContainEqual(
      expect.objectContaining({
        level: 'blocking',
        what: expect.stringContaining(`${who} identity may not`),
        fix: expect.stringContaining(`path "${path}"`),
      }),
    )
  })

  it.each([
    ['mint', MINT_POLICY, 'auth/token/renew-accessor'],
    ['revoke', REVOKE_POLICY, 'auth/token/lookup-accessor'],
    ['revoke', REVOKE_POLICY, 'auth/token/accessors/'],
  ])('warns where the %s identity can do less than it could (%#)', async (who, policy, path) => {
    await replacePolicy(who, without(policy, path))
    const findings = await bench.provider.check()
    expect(findings.map((finding) => finding.level)).toContain('warning')
    expect(findings.map((finding) => finding.level)).not.toContain('blocking')
  })

  it.each([
    [{ token_type: 'default-service' }, 'token_type=service'],
    [{ orphan: false }, 'orphan=true'],
    [{ allowed_policies_glob: ['other-*'] }, "allowed_policies_glob='mf-*'"],
  ])('P17: blocks on a token role with %j', async (change, fix) => {
    await bench.vault.root('POST', 'auth/token/roles/mayfly', change)
    expect(await bench.provider.check()).toContainEqual(
      expect.objectContaining({ level: 'blocking', fix: expect.stringContaining(fix) }),
    )
  })

  it('P17: blocks when there is no token role, and says how to make one', async () => {
    await bench.vault.root('DELETE', 'auth/token/roles/mayfly')
    expect(await bench.provider.check()).toContainEqual({
      level: 'blocking',
      what: 'there is no token role "mayfly"',
      fix: expect.stringContaining('vault write auth/token/roles/mayfly'),
    })
  })

  it('P17: blocks where a target names another engine than the one mounted there', async () => {
    const right = { kind: 'dynamic', engine: 'database', path: 'database/creds/readonly' }
    const wrong = { kind: 'dynamic', engine: 'database', path: 'aws/creds/user' }
    for (const [targets, level] of [
      [[right], 'ok'],
      [[right, wrong], 'blocking'],
    ] as const) {
      const one = await startLeaseBench({ targets })
      const findings = await one.provider.check()
      expect(findings).toContainEqual(
        expect.objectContaining({ level, what: expect.stringContaining('mounted there') }),
      )
      await one.vault.root('POST', 'sys/policies/acl/mayfly-mint', {
        policy: without(MINT_POLICY, 'sys/mounts'),
      })
      expect((await one.provider.check()).map((finding) => finding.level)).toContain('warning')
      await one.close()
    }
  })

  it('P17: blocks when vault cannot be reached', async () => {
    await bench.vault.close()
    expect(await bench.provider.check()).toEqual([
      expect.objectContaining({ level: 'blocking', what: expect.stringContaining('ECONNREFUSED') }),
    ])
  })

  it('warns where one identity does both, and where it is root', async () => {
    const shared = await startLeaseBench({ settings: { revoke_auth: undefined } })
    const warned = (await shared.provider.check()).map((finding) => finding.what)
    expect(warned).toContainEqual(expect.stringContaining('both mints and ends'))
    await shared.close()
  })

  async function replacePolicy(who: string, policy: string): Promise<void> {
    await bench.vault.root('POST', `sys/policies/acl/mayfly-${who}`, { policy })
  }
})

function without(policy: string, path: string): string {
  return policy
    .split('\n')
    .filter((line) => !line.includes(`"${path}"`))
    .join('\n')
}
