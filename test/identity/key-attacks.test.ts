import { afterAll, describe, expect, it } from 'vitest'
import { accepting, startTarget } from './attack-target.ts'
import { identityFor, refusal } from './fixture.ts'
import { json, type SigningKey, startIssuer } from './issuer-server.ts'
import { headerOf, rawToken } from './raw-token.ts'

const target = await startTarget()
afterAll(() => target.corp.close())
const { corp, keyOf, payload, mustRefuse } = target

describe('P10: ECDSA signatures in other forms', () => {
  const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const word = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
  const number = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`)
  const parts = (token: string) => {
    const [head, body, signature = ''] = token.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    return { input: `${head}.${body}`, r: bytes.subarray(0, 32), s: bytes.subarray(32) }
  }

  it('DER, zeros, the order itself and numbers beyond it are refused', async () => {
    const key = keyOf('ES256')
    const { input, r, s } = parts(rawToken(headerOf(key), payload(), key))
    const integer = (value: Buffer) => {
      const bytes = (value[0] ?? 0) > 127 ? Buffer.concat([Buffer.of(0), value]) : value
      return Buffer.concat([Buffer.of(2, bytes.length), bytes])
    }
    const inner = Buffer.concat([integer(r), integer(s)])
    const zero = Buffer.alloc(32)
    const forms = [
      Buffer.concat([Buffer.of(0x30, inner.length), inner]),
      Buffer.concat([zero, zero]),
      Buffer.concat([r, zero]),
      Buffer.concat([zero, s]),
      Buffer.concat([word(ORDER), word(ORDER)]),
      Buffer.concat([word(1n), word(ORDER)]),
      Buffer.concat([s, r]),
      Buffer.concat([Buffer.alloc(16), r, Buffer.alloc(16), s]),
    ]
    for (const form of forms) await mustRefuse(`${input}.${form.toString('base64url')}`)
  })

  it('the twin of a signature is the same evidence: it does not count a second time', async () => {
    const key = keyOf('ES256')
    const good = rawToken(headerOf(key), payload({ jti: 'once' }), key)
    const { input, r, s } = parts(good)
    const twin = `${input}.${Buffer.concat([r, word(ORDER - number(s))]).toString('base64url')}`
    const { identity } = identityFor(corp, { one_time: true })
    const [one, two] = [await identity.verify(good), await identity.verify(twin)]
    expect(two.evidenceId).toBe(one.evidenceId)
  })
})

describe('P10: keys that must not be believed', () => {
  const published = async (change: (key: SigningKey) => unknown[], alg = 'ES256') => {
    const key = keyOf(alg)
    corp.routes.set('/jwks', (_, response) => json(response, { keys: change(key) }))
    return { key, token: rawToken(headerOf(key), payload(), key) }
  }
  const cases: [string, (key: SigningKey) => unknown[]][] = [
    ['for encryption', ({ jwk }) => [{ ...jwk, use: 'enc' }]],
    ['for SVIDs', ({ jwk }) => [{ ...jwk, use: 'jwt-svid' }]],
    ['with a use that is a list', ({ jwk }) => [{ ...jwk, use: ['sig'] }]],
    ['to sign with only', ({ jwk }) => [{ ...jwk, key_ops: ['sign'] }]],
    ['for no operation', ({ jwk }) => [{ ...jwk, key_ops: [] }]],
    ['with an operation said twice', ({ jwk }) => [{ ...jwk, key_ops: ['verify', 'verify'] }]],
    ['for another algorithm', ({ jwk }) => [{ ...jwk, alg: 'ES384' }]],
    ['said to be for a shared secret', ({ jwk }) => [{ ...jwk, alg: 'HS256' }]],
    ['of another curve', ({ jwk }) => [{ ...jwk, crv: 'P-384' }]],
    ['that is a shared secret', ({ kid }) => [{ kty: 'oct', k: 'AAAA', kid, alg: 'ES256' }]],
    ['whose name another has too', ({ jwk }) => [jwk, { ...jwk }]],
    ['that are none', () => []],
    ['that are no keys', () => [null, 7, 'x', []]],
  ]
  it.each(cases)('%s', async (_, change) => {
    const { token } = await published(change)
    const { identity } = identityFor(corp, accepting)
    expect((await refusal(identity.verify(token))).code).toMatch(/^(unauthenticated|unavailable)$/)
  })

  it('off their curve', async () => {
    const { token } = await published(({ jwk }) => [{ ...jwk, y: jwk.x }])
    const { identity } = identityFor(corp)
    expect((await refusal(identity.verify(token))).code).toMatch(/^(unauthenticated|unavailable)$/)
  })

  it('too short, or with an exponent with which anyone can sign', async () => {
    for (const bits of [512, 1_024, 2_047]) {
      const n = Buffer.alloc(Math.ceil(bits / 8), 0xff)
      if (bits % 8) n[0] = 0x7f
      const { token } = await published(
        ({ jwk }) => [{ ...jwk, n: n.toString('base64url') }],
        'RS256',
      )
      expect((await mustRefuse(token)).reason).toMatch(/too weak/)
    }
    for (const e of ['AQ', 'AAAB', 'Ag', 'AQAA']) {
      const { token } = await published(({ jwk }) => [{ ...jwk, e }], 'RS256')
      const { identity } = identityFor(corp, accepting)
      expect((await refusal(identity.verify(token))).code).toMatch(/unauthenticated|unavailable/)
    }
  })

  it('published with their private half', async () => {
    const key = keyOf('ES256')
    const leaked = await crypto.subtle.exportKey('jwk', key.privateKey)
    corp.routes.set('/jwks', (_, response) =>
      json(response, { keys: [{ ...leaked, kid: key.kid, key_ops: undefined, ext: undefined }] }),
    )
    const { identity } = identityFor(corp, accepting)
    const token = rawToken(headerOf(key), payload(), key)
    expect((await refusal(identity.verify(token))).code).toMatch(/unauthenticated|unavailable/)
  })

  it('among hundreds are found by name, at no cost, and never guessed', async () => {
    const crowd = Array.from({ length: 400 }, (_, n) => `crowd-${n}`)
    const { key, token } = await published(({ jwk }) => [
      ...crowd.map((kid) => ({ ...jwk, kid })),
      jwk,
    ])
    const { identity } = identityFor(corp)
    await identity.verify(token)
    const started = performance.now()
    for (let i = 0; i < 50; i++) await identity.verify(token)
    expect(performance.now() - started).toBeLessThan(2_000)
    await mustRefuse(rawToken('{"alg":"ES256"}', payload(), key))
  })
})

it('P10: an issuer’s keys vouch for its own tokens only, whoever else is configured', async () => {
  const key = keyOf('ES256')
  const other = await startIssuer()
  try {
    const { identity } = identityFor(corp, { issuer: other.url, jwks_uri: other.jwksUri })
    const token = rawToken(headerOf(key), payload({ iss: other.url }), key)
    expect((await refusal(identity.verify(token))).code).toBe('unauthenticated')
    expect(corp.requests).toEqual([])
  } finally {
    await other.close()
  }
})
