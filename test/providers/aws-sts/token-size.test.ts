import type { AssumeRoleCommandOutput } from '@aws-sdk/client-sts'
import { describe, expect, it } from 'vitest'
import { TokenWatch, tooLarge } from '../../../providers/aws-sts/token-size.ts'
import { UpstreamError } from '../../../src/provider.ts'
import { awsHouse } from './aws-house.ts'
import { awsBench } from './bench.ts'

describe('how full a session token is', () => {
  it('is kept with the lease, as STS answered it', async () => {
    await using bench = await awsBench()
    const { handle } = await bench.provider().mint(bench.order())
    expect(handle).toMatchObject({
      token_bytes: expect.any(Number),
      token_percent: expect.any(Number),
    })
  })

  it('is said from 80 % on, once for each role', () => {
    const said: unknown[] = []
    const watch = new TokenWatch({ info: () => {}, warn: (data) => said.push(data) })
    const answer = (SessionTokenUtilization: number): AssumeRoleCommandOutput => ({
      $metadata: {},
      SessionTokenUtilization,
      SessionTokenSize: 3_300,
    })
    for (const percent of [79, 80, 95]) watch.saw('one', answer(percent))
    watch.saw('another', answer(99))
    expect(said).toEqual([
      { role: 'one', token_percent: 80, token_bytes: 3_300 },
      { role: 'another', token_percent: 99, token_bytes: 3_300 },
    ])
  })

  it('names what weighs most where STS finds it too large', () => {
    const input = {
      Policy: 'x'.repeat(1_900),
      Tags: [
        { Key: 'mayfly-task', Value: 't'.repeat(25) },
        { Key: 'mayfly-agent', Value: 'a'.repeat(200) },
      ],
    }
    const failure = new UpstreamError('refused', 'no', 'PackedPolicyTooLarge')
    expect(tooLarge(failure, input)).toMatchObject({
      outcome: 'refused',
      message:
        'no; in characters: the session policy 1900, the tag mayfly-agent 212, the tag mayfly-task 36',
    })
    const other = new UpstreamError('refused', 'no', 'AccessDenied')
    expect(tooLarge(other, input)).toBe(other)
  })
})

it('the fullest session token of a provider is a metric', async () => {
  const { house } = await awsHouse()
  const metric = async () => {
    const lines = (await house.call('GET /metrics')).text.split('\n')
    return lines.filter((line) => line.startsWith('mayfly_credential_fullness_ratio'))
  }
  expect(await metric()).toEqual([])
  const { lease } = await house.lend()
  const { body } = await house.as('admin', `GET /v1/leases/${lease}`)
  expect(body.state).toBe('active')
  const [line = ''] = await metric()
  expect(line).toMatch(/^mayfly_credential_fullness_ratio\{provider="real"\} 0\.\d+$/)
})
