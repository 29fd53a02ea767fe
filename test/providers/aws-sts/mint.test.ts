import { describe, expect, it } from 'vitest'
import { awsSts } from '../../../providers/aws-sts/index.ts'
import { UpstreamError } from '../../../src/provider.ts'
import { awsBench } from './bench.ts'

const MINUTE = 60_000

describe('minting a session', () => {
  it('P5: dies at its own end although AWS would honour it for 900 s', async () => {
    await using bench = await awsBench()
    const minted = await bench.provider().mint(bench.order({ ttlSeconds: 60 }))
    expect(minted.nativeExpiresAt - Date.now()).toBeGreaterThan(14 * MINUTE)
    expect(minted.expiresAt - Date.now()).toBeLessThanOrEqual(MINUTE)
    bench.pass(50_000)
    expect(await bench.read(minted)).toBe('ok')
    bench.pass(12_000)
    expect(await bench.read(minted)).toBe('AccessDenied')
    bench.pass(15 * MINUTE)
    expect(await bench.read(minted)).toBe('ExpiredToken')
  })

  it('P5: the order’s notAfter wins over its ttl', async () => {
    await using bench = await awsBench()
    const order = bench.order({ ttlSeconds: 300 })
    const minted = await bench.provider().mint({ ...order, notAfter: Date.now() + 20_000 })
    expect(minted.expiresAt).toBeLessThanOrEqual(Date.now() + 20_000)
    bench.pass(21_000)
    expect(await bench.read(minted)).toBe('AccessDenied')
  })

  it('P5: a clock of AWS’s that is behind is measured, and bounds the next mint', async () => {
    await using bench = await awsBench({ theirs: -20_000 })
    const provider = bench.provider()
    const first = await provider.mint(bench.order({ ttlSeconds: 60 }))
    expect((first.upstreamTime ?? 0) - Date.now()).toBeLessThan(-18_000)
    expect(first.nativeExpiresAt).toBeGreaterThanOrEqual(Date.now() + 899_000)
    const second = await provider.mint(bench.order({ ttlSeconds: 60 }))
    bench.pass(62_000)
    expect(await bench.read(second)).toBe('AccessDenied')
  })

  it('P5: a lifetime the role does not give is refused without a call', async () => {
    await using bench = await awsBench()
    const mint = bench.provider().mint(bench.order({ ttlSeconds: 3_601 }))
    await expect(mint).rejects.toMatchObject({
      outcome: 'refused',
      message: expect.stringContaining('at most 3600 s'),
    })
    expect(bench.sandbox.calls('AssumeRole')).toBe(0)
  })

  it('P1: a reset after AWS minted is one session, not two, and an unknown outcome', async () => {
    await using bench = await awsBench()
    bench.sandbox.faults.plan('AssumeRole', { kind: 'lose' }, 1)
    const failure = bench.provider().mint(bench.order())
    await expect(failure).rejects.toMatchObject({ outcome: 'unknown' })
    expect(bench.sandbox.ledger.minted).toHaveLength(1)
  })

  it('P1: credentials that STS only pretended are not more than they are', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    bench.sandbox.faults.plan('AssumeRole', { kind: 'lie' }, 1)
    const minted = await provider.mint(bench.order())
    expect(await bench.read(minted)).toBe('InvalidAccessKeyId')
    expect(bench.logged.join()).toContain('not confirmed')
  })

  it.each([
    [400, 'MalformedPolicyDocument', 'refused'],
    [400, 'PackedPolicyTooLarge', 'refused'],
    [403, 'RegionDisabledException', 'refused'],
    [400, 'ValidationError', 'refused'],
    [403, 'ExpiredToken', 'refused'],
    [403, 'InvalidClientTokenId', 'refused'],
    [403, 'SignatureDoesNotMatch', 'refused'],
    [400, 'Throttling', 'refused'],
    [400, 'SomethingNew', 'unknown'],
    [500, 'AccessDenied', 'unknown'],
    [503, 'ServiceUnavailable', 'unknown'],
  ])('P1: %d %s means %s', async (status, code, outcome) => {
    await using bench = await awsBench()
    bench.sandbox.faults.plan('AssumeRole', { kind: 'fail', status, code })
    const error = await bench
      .provider()
      .mint(bench.order())
      .catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(UpstreamError)
    expect(error).toMatchObject({ outcome })
    if (error instanceof UpstreamError) expect(error.message).not.toContain('as planned')
    expect(bench.sandbox.calls('AssumeRole')).toBe(1)
  })

  it('P11: another tenant’s external id does not open the role', async () => {
    await using bench = await awsBench()
    const mint = bench.provider().mint(bench.order({ tenant: 'finance' }))
    await expect(mint).rejects.toMatchObject({ outcome: 'refused', upstreamCode: 'AccessDenied' })
    const target = { role_arn: bench.roleArn, external_id: 'acme:support', shared: true }
    await bench.provider().mint(bench.order({ tenant: 'finance', target }))
  })

  it('names an agent that does not fit a session tag', async () => {
    await using bench = await awsBench()
    const mint = bench.provider().mint(bench.order({ agent: 'a;b' }))
    await expect(mint).rejects.toMatchObject({ message: expect.stringContaining('"a;b"') })
  })
})

describe('separate identities', () => {
  it('P17: mint and end by users and a role that can do only that', async () => {
    await using bench = await awsBench()
    const minter = bench.sandbox.addUser('minter', allow(['sts:*', 'iam:SimulatePrincipalPolicy']))
    const ender = bench.sandbox.addRole({ name: 'ender', policies: { end: allow(['iam:*']) } })
    const provider = bench.provider({
      keys: minter,
      settings: { revoke: { role_arn: ender.arn } },
    })
    const order = bench.order()
    const minted = await provider.mint(order)
    expect(await bench.end(provider, [bench.endOf(order, minted)])).toMatchObject([{ ok: true }])
    expect(await bench.read(minted)).toBe('AccessDenied')
    expect((await provider.check()).map(({ level }) => level)).not.toContain('blocking')
  })
})

describe('what doctor is told', () => {
  it('P17: an identity that cannot end leases blocks', async () => {
    await using bench = await awsBench()
    const keys = bench.sandbox.addUser('minter', allow(['sts:*']))
    expect(await bench.provider({ keys }).check()).toContainEqual(
      expect.objectContaining({ level: 'blocking', what: expect.stringContaining('not be ended') }),
    )
  })

  it('P17: one that may list but not write blocks where the simulator says so', async () => {
    await using bench = await awsBench()
    const read = ['iam:ListRolePolicies', 'iam:GetRolePolicy', 'iam:SimulatePrincipalPolicy']
    const keys = bench.sandbox.addUser('reader', allow(['sts:*', ...read]))
    expect(await bench.provider({ keys }).check()).toContainEqual(
      expect.objectContaining({
        level: 'blocking',
        what: expect.stringContaining('iam:PutRolePolicy'),
      }),
    )
  })

  it('says what could not be checked', async () => {
    await using bench = await awsBench()
    const keys = bench.sandbox.addUser('mute', allow(['sts:*', 'iam:*RolePolic*']))
    expect(await bench.provider({ keys }).check()).toContainEqual(
      expect.objectContaining({
        level: 'warning',
        what: expect.stringContaining('could not be checked'),
      }),
    )
  })

  it('warns of a minting identity that could lift an end', async () => {
    await using bench = await awsBench()
    const { accessKeyId } = bench.sandbox.addUser('ender', allow(['*']))
    const settings = {
      revoke: { credentials: { access_key_id: accessKeyId, secret_access_key: 'env:X' } },
    }
    expect(await bench.provider({ settings }).check()).toContainEqual(
      expect.objectContaining({ level: 'warning', fix: expect.stringContaining('lift an end') }),
    )
  })

  it('P17: a clock more than 30 s off blocks', async () => {
    await using bench = await awsBench({ theirs: -45_000 })
    expect(await bench.provider().check()).toContainEqual(
      expect.objectContaining({ level: 'blocking', what: expect.stringMatching(/4[56] s behind/) }),
    )
  })

  it('P17: credentials that do not exist block', async () => {
    await using bench = await awsBench()
    const keys = { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'nothing' }
    const findings = await bench.provider({ keys }).check()
    expect(findings[0]).toMatchObject({ level: 'blocking' })
  })
})

describe('settings and targets', () => {
  const settings = { type: 'aws-sts', region: 'eu-west-1' }

  it.each([
    [{ ...settings, regions: [] }, 'an unknown field'],
    [{ ...settings, region: 'Europe' }, 'no region'],
    [{ ...settings, endpoints: { sts: 'http://sts.example.com' } }, 'plain http to elsewhere'],
    [
      {
        ...settings,
        credentials: { access_key_id: 'AKIAAAAAAAAAAAAAAAAA', secret_access_key: 'x' },
      },
      'a secret in the file',
    ],
    [{ ...settings, revoke: { role_arn: 'ender' } }, 'no ARN'],
  ] as [object, string][])('P16: refuses %j: %s', (input) => {
    expect(awsSts.settings.safeParse(input).success).toBe(false)
  })

  it('takes an emulator on loopback and the SDK’s own credentials', () => {
    const endpoints = { sts: 'http://127.0.0.1:4566', iam: 'http://localhost:4566' }
    expect(awsSts.settings.safeParse({ ...settings, endpoints }).success).toBe(true)
  })

  it.each([
    { role_arn: 'arn:aws:iam::111122223333:user/u' },
    { role_arn: 'arn:aws:iam::111122223333:role/r', max_session_seconds: 60 },
    { role_arn: 'arn:aws:iam::111122223333:role/r', session_policy: '{}' },
  ])('P16: refuses the target %j', (target) => {
    expect(awsSts.target.safeParse(target).success).toBe(false)
  })

  it('takes a role with a path', () => {
    const target = { role_arn: 'arn:aws-cn:iam::111122223333:role/agents/prod/r' }
    expect(awsSts.target.safeParse(target).success).toBe(true)
  })
})

function allow(actions: readonly string[]) {
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }],
  }
}
