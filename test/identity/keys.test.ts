import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { goodClaims, identityFor, refusal } from './fixture.ts'
import { type IssuerServer, json, newKey, startIssuer } from './issuer-server.ts'

const DISCOVERY = '/.well-known/openid-configuration'
let corp: IssuerServer
let other: IssuerServer

beforeEach(async () => {
  corp = await startIssuer()
  other = await startIssuer()
})
afterEach(async () => {
  await corp.close()
  await other.close()
})

const discovering = { jwks_uri: undefined }
const token = () => corp.sign(goodClaims(corp))

describe('keys of an issuer', () => {
  it('are fetched once for many tokens', async () => {
    const { identity } = identityFor(corp)
    for (let i = 0; i < 5; i++) await identity.verify(await token())
    expect(corp.requests).toEqual(['/jwks'])
  })

  it('are fetched again for a key not known yet: a rotation is followed', async () => {
    const { identity } = identityFor(corp)
    const old = await token()
    await identity.verify(old)
    corp.keys = [await newKey('key-2')]
    await identity.verify(await token())
    expect((await refusal(identity.verify(old))).code).toBe('unauthenticated')
  })

  it('are found by discovery at the configured issuer', async () => {
    const { identity } = identityFor(corp, discovering)
    await identity.verify(await token())
    expect(corp.requests).toEqual([DISCOVERY, '/jwks'])
  })

  it('are not asked for when the issuer is unknown or the algorithm not accepted', async () => {
    const { identity } = identityFor(corp, discovering)
    await refusal(identity.verify(await corp.sign({ ...goodClaims(corp), iss: other.url })))
    const rsa = await newKey('rsa', 'PS256')
    await refusal(identity.verify(await corp.sign(goodClaims(corp), { key: rsa })))
    expect([...corp.requests, ...other.requests]).toEqual([])
  })
})

describe('P10: keys come only from configured hosts', () => {
  const metadata = (body: unknown) => corp.routes.set(DISCOVERY, (_, res) => json(res, body))
  const answer = async (overlay: Record<string, unknown> = discovering) =>
    refusal(identityFor(corp, overlay).identity.verify(await token()))

  it('refuses discovery that answers for another issuer', async () => {
    metadata({ issuer: other.url, jwks_uri: corp.jwksUri })
    expect(await answer()).toMatchObject({
      code: 'unavailable',
      reason: expect.stringMatching(/another issuer/),
    })
  })

  it('refuses discovery that points to keys on another host', async () => {
    metadata({ issuer: corp.url, jwks_uri: other.jwksUri })
    expect(await answer()).toMatchObject({
      code: 'unavailable',
      reason: expect.stringMatching(/another host/),
    })
    expect(other.requests).toEqual([])
  })

  it.each([
    ['plain http elsewhere', 'http://keys.example/jwks'],
    ['no address', 'jwks'],
    ['a file', 'file:///etc/passwd'],
    ['a name and password', 'https://a:b@keys.example/jwks'],
    ['nothing', undefined],
  ])('refuses discovery that points to %s', async (_, jwks_uri) => {
    metadata({ issuer: corp.url, jwks_uri })
    expect((await answer()).reason).toMatch(/no https jwks_uri/)
  })

  it('follows no redirect, of keys or of discovery', async () => {
    for (const path of ['/jwks', DISCOVERY]) {
      corp.routes.clear()
      corp.routes.set(path, (_, res) => res.writeHead(302, { location: other.jwksUri }).end())
      expect((await answer()).code).toBe('unavailable')
    }
    expect(other.requests).toEqual([])
  })
})

describe('an issuer that is in trouble', () => {
  const broken: [string, Parameters<IssuerServer['routes']['set']>[1]][] = [
    ['answers 500', (_, res) => res.writeHead(500).end()],
    ['cuts the connection', (_, res) => res.destroy()],
    ['answers nonsense', (_, res) => res.writeHead(200).end('<html>')],
    ['answers JSON that is no key set', (_, res) => json(res, { keys: 'none' })],
    [
      'answers more than any key set needs',
      (_, res) => json(res, { keys: corp.keys.map((key) => key.jwk), rest: 'x'.repeat(600_000) }),
    ],
  ]
  it.each(broken)('makes evidence unavailable, not refused, when it %s', async (_, route) => {
    const { identity, warnings } = identityFor(corp)
    corp.routes.set('/jwks', route)
    expect((await refusal(identity.verify(await token()))).code).toBe('unavailable')
    expect(warnings.length).toBeLessThanOrEqual(1)
  })

  it('is left alone for a moment after a failure, then asked again', async () => {
    const { identity, advance } = identityFor(corp, discovering)
    corp.routes.set(DISCOVERY, (_, res) => res.writeHead(500).end())
    for (let i = 0; i < 5; i++) {
      expect((await refusal(identity.verify(await token()))).code).toBe('unavailable')
    }
    expect(corp.requests).toEqual([DISCOVERY])
    corp.routes.clear()
    advance(2_001)
    await identity.verify(await token())
  })

  it('does not lose keys already known when a stranger provokes a fetch that fails', async () => {
    const { identity } = identityFor(corp)
    const good = await token()
    await identity.verify(good)
    corp.routes.set('/jwks', (_, res) => res.writeHead(500).end())
    const unknown = await corp.sign(goodClaims(corp), { key: await newKey('unknown') })
    expect((await refusal(identity.verify(unknown))).code).toBe('unavailable')
    await identity.verify(good)
  })

  it('refuses a key too weak to be believed', async () => {
    const weak = { kty: 'RSA', kid: 'key-1', alg: 'RS256', e: 'AQAB', n: 'AQAB'.repeat(20) }
    corp.routes.set('/jwks', (_, res) => json(res, { keys: [weak] }))
    const rsa = await newKey('key-1', 'RS256')
    const signed = await corp.sign(goodClaims(corp), { key: rsa })
    expect((await refusal(identityFor(corp).identity.verify(signed))).code).toMatch(
      /unauthenticated|unavailable/,
    )
  })
})
