import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { parseSpiffeId } from '../../src/identity/spiffe-id.ts'
import { Authority } from '../fixture/certificates.ts'
import { OPENING, testApi } from '../fixture/http.ts'
import { START } from '../fixture/time.ts'
import { identityFor, NOW, refusal } from './fixture.ts'
import { json, newKey } from './issuer-server.ts'
import { type SpireServer, startSpire } from './spire-server.ts'

let spire: SpireServer
let other: SpireServer
beforeEach(async () => {
  spire = await startSpire('corp.example')
  other = await startSpire('other.example')
})
afterEach(async () => {
  await spire.close()
  await other.close()
})

const PATH = '/ns/agents/sa/ticket-summariser'
const settings = (overlay: Record<string, unknown> = {}) => ({
  name: 'mesh',
  type: 'spiffe',
  trust_domain: 'corp.example',
  audience: 'mayfly',
  bundle: spire.bundleUrl,
  ...overlay,
})
/** Over the settings of the ordinary fixture, which has fields that this kind does not know. */
const identity = (overlay: Record<string, unknown> = {}, options = {}) =>
  identityFor(
    spire.server,
    { ...settings(overlay), issuer: undefined, jwks_uri: undefined },
    [],
    options,
  )
const svid = (claims: Record<string, unknown> = {}, options = {}) =>
  spire.svid(PATH, { now: NOW, ...claims }, options)

describe('a JWT-SVID', () => {
  it('opens a task as the agent of its SPIFFE ID, and identifies an operator', async () => {
    const match = { issuer: 'mesh', claims: { sub: 'spiffe://corp.example/ns/agents/sa/*' } }
    const api = await testApi({
      change: (doc) => {
        doc.issuers.push(settings())
        doc.agents.push({ id: 'in-mesh', tenant: 'support', owner: 'o@example.com', match })
        doc.operators.push({ name: 'mesh', roles: ['auditor'], tenants: ['*'], match })
      },
    })
    const token = await spire.svid(PATH, { now: START })
    const opened = await api.call('POST /v1/tasks', { token, body: OPENING })
    expect(opened.body.task).toMatchObject({ agent: 'in-mesh' })
    expect(await api.store.tasks.byId(opened.body.task.id)).toMatchObject({
      workload: `mesh/spiffe://corp.example${PATH}`,
      claims: { sub: `spiffe://corp.example${PATH}` },
    })
    expect((await api.call('GET /v1/leases', { token })).status).toBe(200)
    const deeper = await spire.svid(`${PATH}/more`, { now: START })
    expect(await api.refusal('POST /v1/tasks', { token: deeper, body: OPENING })).toBe(
      '403 agent_unknown',
    )
  })

  it('may leave iat out, then its end is bounded all the same', async () => {
    const { identity: mesh } = identity({ max_age_seconds: 600 })
    const seconds = NOW / 1_000
    const workload = await mesh.verify(await svid({ iat: undefined }))
    expect(workload.evidenceExpiresAt).toBe(NOW + 330_000)
    const far = await refusal(mesh.verify(await svid({ iat: undefined, exp: seconds + 601 })))
    expect(far.reason).toMatch(/too far/)
  })

  it('counts whatever iss says: the trust domain of its sub decides', async () => {
    const { identity: mesh } = identity()
    for (const iss of ['https://spire.corp.example', 'spiffe://other.example']) {
      expect((await mesh.verify(await svid({ iss }))).issuer).toBe('mesh')
    }
  })

  const claims: [string, Record<string, unknown>][] = [
    ['no end', { exp: undefined }],
    ['an end in the past', { exp: NOW / 1_000 - 31 }],
    ['another audience', { aud: ['vault'] }],
    ['an audience among others', { aud: ['mayfly', 'vault'] }],
    ['no audience', { aud: undefined }],
    ['another trust domain', { sub: 'spiffe://other.example/ns/agents/sa/ticket-summariser' }],
    ['a trust domain in capitals', { sub: `spiffe://CORP.example${PATH}` }],
    ['a trust domain with a port', { sub: `spiffe://corp.example:443${PATH}` }],
    ['a trust domain with a user', { sub: `spiffe://x@corp.example${PATH}` }],
    ['no path', { sub: 'spiffe://corp.example' }],
    ['an empty path', { sub: 'spiffe://corp.example/' }],
    ['an empty segment', { sub: 'spiffe://corp.example//agents' }],
    ['a segment that climbs', { sub: 'spiffe://corp.example/x/../ns' }],
    ['a slash at the end', { sub: `spiffe://corp.example${PATH}/` }],
    ['an encoded slash', { sub: 'spiffe://corp.example/ns%2fagents' }],
    ['a query', { sub: `spiffe://corp.example${PATH}?x=1` }],
    ['no SPIFFE ID', { sub: 'ticket-summariser' }],
    ['no sub', { sub: undefined }],
  ]
  it.each(claims)('P10: is refused with %s', async (_, overlay) => {
    const answer = await refusal(identity().identity.verify(await svid(overlay)))
    expect(answer.code).toBe('unauthenticated')
  })

  const headers: [string, object][] = [
    ['a typ of its own', { typ: 'at+jwt' }],
    ['a typ in other letters', { typ: 'jwt' }],
    ['a header that JWT-SVIDs do not have', { x5t: 'AAAA' }],
    ['a key set to fetch', { jku: 'https://evil.example/jwks' }],
    ['a kid that is no text', { kid: 7 }],
  ]
  it.each(headers)('P10: is refused with %s', async (_, header) => {
    const token = await svid({}, { header: { typ: 'JWT', ...header } })
    expect((await refusal(identity().identity.verify(token))).code).toBe('unauthenticated')
  })

  it('P10: of another trust domain is not this one’s, whatever its key is called', async () => {
    const [foreign] = other.server.keys
    if (!foreign) throw new Error('no key')
    const stolen = await svid({}, { key: foreign })
    expect((await refusal(identity().identity.verify(stolen))).code).toBe('unauthenticated')
    expect(other.server.requests).toEqual([])
  })
})

describe('a trust bundle', () => {
  const verify = (mesh: ReturnType<typeof identity>) =>
    spire.svid(PATH, { now: NOW }).then((token) => mesh.identity.verify(token))

  it('is fetched once within its hint, and anew for a key it does not know yet', async () => {
    const mesh = identity()
    await verify(mesh)
    await verify(mesh)
    expect(spire.server.requests).toEqual(['/bundle'])
    await spire.rotate('key-2')
    await verify(mesh)
    mesh.advance(61_000)
    await verify(mesh)
    expect(spire.server.requests.length).toBe(3)
  })

  it('forgets a key that was taken out once its hint has passed', async () => {
    const mesh = identity()
    const old = await svid({ exp: NOW / 1_000 + 600 })
    await mesh.identity.verify(old)
    await spire.rotate('key-2')
    mesh.advance(61_000)
    expect((await refusal(mesh.identity.verify(old))).code).toBe('unauthenticated')
  })

  it.each([
    ['its use is sig', 'sig'],
    ['its use is x509-svid', 'x509-svid'],
    ['it has no use', undefined],
  ])('P10: lends no key to JWT-SVIDs where %s', async (_, use) => {
    spire.publish = ({ jwk, kid }) => ({ ...jwk, alg: undefined, kid, use })
    expect((await refusal(verify(identity()))).code).toBe('unauthenticated')
  })

  it('P10: lends no key without a name, or that two share', async () => {
    spire.publish = ({ jwk }) => ({ ...jwk, use: 'jwt-svid', kid: undefined })
    for (const kid of ['key-1', undefined]) {
      const token = await svid({}, { header: { typ: 'JWT', kid } })
      expect((await refusal(identity().identity.verify(token))).code).toBe('unauthenticated')
    }
    const twin = await newKey('key-1')
    spire.server.keys = [twin, ...spire.server.keys]
    spire.publish = ({ jwk, kid }) => ({ ...jwk, kid, use: 'jwt-svid' })
    expect((await refusal(verify(identity()))).code).toBe('unauthenticated')
  })

  it('P10: that went back to an older sequence is not believed', async () => {
    const mesh = identity()
    await verify(mesh)
    spire.sequence = 6
    mesh.advance(61_000)
    const answer = await refusal(verify(mesh))
    expect(answer).toMatchObject({
      code: 'unavailable',
      reason: expect.stringMatching(/went back/),
    })
    spire.sequence = 8
    mesh.advance(2_001)
    await verify(mesh)
  })

  it.each([
    ['no keys', { keys: [] }],
    ['a key set of another form', { keys: { a: 1 } }],
    ['a sequence that is text', { keys: [{ use: 'jwt-svid' }], spiffe_sequence: '7' }],
    ['nothing', null],
  ])('is unavailable, not refused, with %s', async (_, document) => {
    spire.server.routes.set('/bundle', (__, response) => json(response, document))
    expect((await refusal(verify(identity()))).code).toBe('unavailable')
  })

  it('is not fetched where an endpoint sends one on, and left alone for a moment then', async () => {
    spire.server.routes.set('/bundle', (_, response) =>
      response.writeHead(302, { location: other.bundleUrl }).end(),
    )
    const mesh = identity()
    for (let i = 0; i < 3; i++) expect((await refusal(verify(mesh))).code).toBe('unavailable')
    expect(spire.server.requests).toEqual(['/bundle'])
    expect(other.server.requests).toEqual([])
  })

  it('P10: comes over TLS from whom the configured authority vouches for', async () => {
    const authority = Authority.named('spire')
    const { cert, key } = authority.issue({ dns: ['localhost'] })
    const server = createServer({ cert, key }, (_, response) => json(response, spire.bundle()))
    onTestFinished(() => void server.close())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    // A server listening on TCP has an address object.
    const bundle = `https://localhost:${(server.address() as AddressInfo).port}/`
    const trusting = (pem: string) =>
      identity({ bundle, bundle_ca: 'file:/run/ca.crt' }, { secret: () => pem })
    await verify(trusting(authority.pem))
    const stranger = trusting(Authority.named('another').pem)
    expect((await refusal(verify(stranger))).code).toBe('unavailable')
    expect((await refusal(verify(identity({ bundle })))).code).toBe('unavailable')
  })

  it('may be a file, which is read anew', async () => {
    let text = JSON.stringify(spire.bundle())
    const mesh = identity({ bundle: 'file:/run/bundle.json' }, { secret: () => text })
    await verify(mesh)
    await spire.rotate('key-2')
    text = JSON.stringify(spire.bundle())
    await verify(mesh)
    text = '{"keys": [{'
    mesh.advance(61_000)
    expect((await refusal(verify(mesh))).code).toBe('unavailable')
    expect(spire.server.requests).toEqual([])
  })
})

describe('a SPIFFE ID', () => {
  it.each([
    ['spiffe://a/b', 'a', '/b'],
    ['spiffe://prod.corp_1-x/ns/A.b_c-d', 'prod.corp_1-x', '/ns/A.b_c-d'],
    ['spiffe://a/...', 'a', '/...'],
  ])('%s is of %s', (text, trustDomain, path) => {
    expect(parseSpiffeId(text)).toEqual({ trustDomain, path })
  })

  it.each([
    'spiffe:///b',
    'SPIFFE://a/b',
    'http://a/b',
    'spiffe://a/b\n',
    'spiffe://a/.',
    'spiffe://a/b#c',
    7,
    `spiffe://a/${'x'.repeat(2_100)}`,
  ])('%s is none', (text) => expect(parseSpiffeId(text)).toBeUndefined())
})
