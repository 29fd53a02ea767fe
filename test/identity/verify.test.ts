import { createHmac } from 'node:crypto'
import { exportSPKI, importJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { goodClaims, identityFor, NOW, refusal } from './fixture.ts'
import { type IssuerServer, newKey, startIssuer } from './issuer-server.ts'

let corp: IssuerServer
let thief: IssuerServer

beforeAll(async () => {
  corp = await startIssuer()
  thief = await startIssuer()
})
afterAll(async () => {
  await corp.close()
  await thief.close()
})

const NOT_ACCEPTED = { code: 'unauthenticated', message: 'the evidence was not accepted' }
const seconds = NOW / 1_000

describe('evidence that is in order', () => {
  it('becomes a workload named after issuer and sub, with its claims as text', async () => {
    const claims = {
      ...goodClaims(corp),
      sub: 'system:serviceaccount:agents:ticket-summariser',
      jti: 'abc',
      'kubernetes.io': { namespace: 'agents', serviceaccount: { name: 'ticket-summariser' } },
      groups: ['a', 'b'],
    }
    const workload = await identityFor(corp).identity.verify(await corp.sign(claims))
    expect(workload).toMatchObject({
      name: 'corp/system:serviceaccount:agents:ticket-summariser',
      issuer: 'corp',
      issuerUrl: corp.url,
      proof: 'bearer',
      oneTime: false,
      evidenceExpiresAt: NOW + 630_000,
      lists: { groups: ['a', 'b'] },
    })
    expect(workload.claims).toMatchObject({
      'kubernetes.io/namespace': 'agents',
      'kubernetes.io/serviceaccount/name': 'ticket-summariser',
      groups: 'a,b',
    })
    expect(workload.evidenceId).toMatch(/^[0-9a-f]{64}$/)
  })

  it('may name its audience as a list of one', async () => {
    const token = await corp.sign({ ...goodClaims(corp), aud: ['mayfly'] })
    expect((await identityFor(corp).identity.verify(token)).subject).toBe('robot')
  })

  it('is accepted within the clock tolerance and not after', async () => {
    const { identity, advance } = identityFor(corp, { clock_tolerance_seconds: 10 })
    const token = await corp.sign(goodClaims(corp))
    advance(609_000)
    await identity.verify(token)
    advance(1_000)
    expect(await refusal(identity.verify(token))).toMatchObject(NOT_ACCEPTED)
  })

  it('gets the same evidence id for the same jti only', async () => {
    const { identity } = identityFor(corp, { one_time: true })
    const ids = await Promise.all(
      ['one', 'one', 'two'].map(async (jti) =>
        identity.verify(await corp.sign({ ...goodClaims(corp), jti })),
      ),
    )
    expect(ids[0]?.evidenceId).toBe(ids[1]?.evidenceId)
    expect(ids[0]?.evidenceId).not.toBe(ids[2]?.evidenceId)
    expect(ids[0]?.oneTime).toBe(true)
  })
})

describe('P10: claims that are not in order', () => {
  const cases: [string, Record<string, unknown>, RegExp][] = [
    ['another audience', { aud: 'vault' }, /"aud"/],
    ['an audience among others', { aud: ['mayfly', 'vault'] }, /meant for others/],
    ['the audience with another case', { aud: 'Mayfly' }, /"aud"/],
    ['an audience that is no text', { aud: { mayfly: true } }, /"aud"/],
    ['no audience', { aud: undefined }, /"aud"/],
    ['an end in the past', { exp: seconds - 31 }, /"exp"/],
    ['no end', { exp: undefined }, /"exp"/],
    ['an end that is text', { exp: '9999999999' }, /"exp"/],
    ['a start in the future', { nbf: seconds + 31 }, /"nbf"/],
    ['an issue time in the far future', { iat: seconds + 3_600 }, /"iat"/],
    ['no issue time', { iat: undefined }, /"iat"/],
    ['an age above the maximum, whatever its end', { iat: seconds - 90_000 }, /"iat"/],
    ['no sub', { sub: undefined }, /"sub"/],
    ['an empty sub', { sub: '' }, /sub/],
    ['a sub that is no text', { sub: 7 }, /sub/],
    ['a sub that reorders what people read', { sub: 'robot\u202e' }, /sub/],
    ['a very long sub', { sub: 'x'.repeat(513) }, /sub/],
    ['a jti that is no text', { jti: 7 }, /jti/],
    ['claims nested without end', { a: { b: { c: { d: { e: { f: { g: 1 } } } } } } }, /claims/],
    ['two claims of one name', { 'a/b': 'x', a: { b: 'y' } }, /claims/],
    ['an issuer that is not configured', { iss: 'https://else.example' }, /not configured/],
    ['an issuer with a slash more', { iss: 'SLASH' }, /not configured/],
    ['no issuer', { iss: undefined }, /not configured/],
  ]
  it.each(cases)('refuses %s', async (_, overlay, reason) => {
    const claims = { ...goodClaims(corp), ...overlay }
    if (claims.iss === 'SLASH') claims.iss = `${corp.url}/`
    const answer = await refusal(identityFor(corp).identity.verify(await corp.sign(claims)))
    expect(answer).toMatchObject(NOT_ACCEPTED)
    expect(answer.reason).toMatch(reason)
  })

  it('refuses a token without id where each counts once', async () => {
    const { identity } = identityFor(corp, { one_time: true })
    const answer = await refusal(identity.verify(await corp.sign(goodClaims(corp))))
    expect(answer.reason).toMatch(/no jti/)
  })

  it('refuses another typ than the issuer is said to use', async () => {
    const { identity } = identityFor(corp, { typ: 'at+jwt' })
    const claims = goodClaims(corp)
    await identity.verify(await corp.sign(claims, { header: { typ: 'at+jwt' } }))
    const answer = await refusal(identity.verify(await corp.sign(claims)))
    expect(answer.reason).toMatch(/"typ"/)
  })
})

describe('P10: signatures that are not the issuer’s', () => {
  const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

  it('refuses alg none, in any spelling, without asking for keys', async () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      const unsigned = `${b64({ alg })}.${b64(goodClaims(corp))}.`
      const signed = `${unsigned}AAAA`
      for (const token of [unsigned, signed]) {
        expect(await refusal(identityFor(corp).identity.verify(token))).toMatchObject(NOT_ACCEPTED)
      }
    }
  })

  it('refuses a public key used as a shared secret', async () => {
    const rsa = await newKey('rsa', 'RS256')
    const issuer = await startIssuer()
    try {
      issuer.keys = [rsa]
      const publicKey = await importJWK({ ...rsa.jwk }, 'RS256', { extractable: true })
      // An RSA public JWK imports as a CryptoKey.
      const pem = await exportSPKI(publicKey as Parameters<typeof exportSPKI>[0])
      for (const alg of ['HS256', 'RS256']) {
        const input = `${b64({ alg, kid: 'rsa' })}.${b64(goodClaims(issuer))}`
        const mac = createHmac('sha256', pem).update(input).digest('base64url')
        const answer = await refusal(identityFor(issuer).identity.verify(`${input}.${mac}`))
        expect(answer).toMatchObject(NOT_ACCEPTED)
      }
    } finally {
      await issuer.close()
    }
  })

  it('refuses an algorithm the issuer is not said to use', async () => {
    const { identity } = identityFor(corp, { algorithms: ['RS256'] })
    const answer = await refusal(identity.verify(await corp.sign(goodClaims(corp))))
    expect(answer.reason).toMatch(/algorithm/)
  })

  it('refuses a key the token brings along, and never asks the place it points to', async () => {
    const own = await newKey('key-1')
    const headers = [
      { jwk: own.jwk },
      { jku: `${thief.url}/jwks` },
      { x5u: `${thief.url}/cert` },
      { x5c: ['AAAA'] },
    ]
    for (const header of headers) {
      const token = await corp.sign(goodClaims(corp), { key: own, header })
      const answer = await refusal(identityFor(corp).identity.verify(token))
      expect(answer.reason).toMatch(/is not accepted/)
    }
    expect(thief.requests).toEqual([])
  })

  it('refuses headers that must be understood or change the format', async () => {
    for (const header of [{ crit: ['exp'] }, { b64: false }, { cty: 'JWT' }, { zip: 'DEF' }]) {
      const body = `${b64({ alg: 'ES256', kid: 'key-1', ...header })}.${b64(goodClaims(corp))}`
      const answer = await refusal(identityFor(corp).identity.verify(`${body}.AAAA`))
      expect(answer.reason).toMatch(/is not accepted/)
    }
  })

  it('refuses another issuer’s key, under its own or a stolen kid', async () => {
    const foreign = thief.keys[0]
    if (!foreign) throw new Error('no key')
    for (const kid of ['key-1', 'other', '../../jwks', 'key-1\u0000', 'x'.repeat(4_000)]) {
      const token = await corp.sign(goodClaims(corp), { key: { ...foreign, kid } })
      expect(await refusal(identityFor(corp).identity.verify(token))).toMatchObject(NOT_ACCEPTED)
    }
    expect(thief.requests).toEqual([])
  })

  it('refuses a token of one configured issuer that claims to be of another', async () => {
    const token = await thief.sign(goodClaims(corp))
    expect(await refusal(identityFor(corp).identity.verify(token))).toMatchObject(NOT_ACCEPTED)
  })

  it('refuses a claim said twice', async () => {
    const token = await corp.sign(goodClaims(corp))
    const [head = '', , signature = ''] = token.split('.')
    const twice = JSON.stringify(goodClaims(corp)).replace('{', '{"sub":"admin",')
    const forged = `${head}.${Buffer.from(twice).toString('base64url')}.${signature}`
    const answer = await refusal(identityFor(corp).identity.verify(forged))
    expect(answer.reason).toMatch(/twice/)
  })

  it('refuses encrypted, oversized and shapeless input before decoding it', async () => {
    const { identity } = identityFor(corp)
    const reasons = await Promise.all(
      [
        'a.b.c.d.e',
        `a.${'b'.repeat(20_000)}.c`,
        '',
        '.',
        '..',
        'a.b',
        'é.é.é',
        'bnVsbA.bnVsbA.eA',
      ].map(async (token) => (await refusal(identity.verify(token))).reason),
    )
    expect(reasons).toEqual([
      'encrypted tokens are not accepted',
      'larger than 16384 bytes',
      'not a compact JWS',
      'not a compact JWS',
      'not a compact JWS',
      'not a compact JWS',
      'not base64url',
      'header is not an object',
    ])
  })
})
