import { afterAll, describe, expect, it } from 'vitest'
import { startTarget } from './attack-target.ts'
import { identityFor, NOW, refusal } from './fixture.ts'
import { headerOf, rawToken } from './raw-token.ts'

const target = await startTarget()
afterAll(() => target.corp.close())
const { corp, keyOf, payload, mustRefuse } = target

describe('P10: times that are no times', () => {
  const seconds = NOW / 1_000
  const cases: [string, Record<string, unknown>][] = [
    ...(['exp', 'iat', 'nbf'] as const).flatMap((claim): [string, Record<string, unknown>][] => [
      [`${claim} as text`, { [claim]: String(seconds) }],
      [`${claim} as an empty text`, { [claim]: '' }],
      [`${claim} with a fraction`, { [claim]: seconds + 0.5 }],
      [`${claim} as a list`, { [claim]: [seconds] }],
      [`${claim} as an object`, { [claim]: { value: seconds } }],
      [`${claim} true`, { [claim]: true }],
      [`${claim} null`, { [claim]: null }],
      [`${claim} beyond whole numbers`, { [claim]: 1e300 }],
    ]),
    ['exp far beyond', { exp: Number.MAX_SAFE_INTEGER + 1 }],
    ['exp below zero', { exp: -1 }],
    ['exp in milliseconds of the past', { exp: 0 }],
    ['iat in milliseconds', { iat: NOW }],
    ['iat below zero', { iat: -1 }],
    ['nbf in milliseconds', { nbf: NOW }],
  ]
  it.each(cases)('%s', async (_, overlay) => {
    const key = keyOf('ES256')
    await mustRefuse(rawToken(headerOf(key), payload(overlay), key))
  })

  it('and an end in the year 10,000 ends with the greatest age all the same', async () => {
    const key = keyOf('ES256')
    const token = rawToken(headerOf(key), payload({ exp: 253_402_300_800 }), key)
    const { identity, advance } = identityFor(corp, { max_age_seconds: 600 })
    expect((await identity.verify(token)).evidenceExpiresAt).toBe(NOW + 630_000)
    advance(631_000)
    expect((await refusal(identity.verify(token))).code).toBe('unauthenticated')
  })
})

describe('P10: audiences', () => {
  it.each([
    [['mayfly', 'vault']],
    [['vault', 'mayfly']],
    [[]],
    [['mayfly', 7]],
    [[['mayfly']]],
    [''],
    ['mayfly,vault'],
    ['mayfly '],
    [null],
    [{ 0: 'mayfly' }],
  ])('%j is not ours alone', async (aud) => {
    const key = keyOf('ES256')
    await mustRefuse(rawToken(headerOf(key), payload({ aud }), key))
  })
})
