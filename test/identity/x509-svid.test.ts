import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { keyUses } from '../../src/identity/key-usage.ts'
import { Authority, type Certified, USAGE } from '../fixture/certificates.ts'
import { OPENING } from '../fixture/http.ts'
import { tlsBroker } from '../fixture/tls-broker.ts'

const ID = 'spiffe://corp.example/agents/summariser'
/** SPIRE gives every trust domain's authority the same name: a name is no trust. */
const NAME = 'SPIFFE'

/** A broker that takes X.509-SVIDs of two trust domains, and whatever else `clients` signs. */
async function mesh() {
  const [corp, partner] = [Authority.named(NAME), Authority.named(NAME)]
  const broker = await tlsBroker((doc) => {
    doc.issuers.push(
      { name: 'mesh', type: 'spiffe-x509', trust_domain: 'corp.example', bundle: 'file:corp.pem' },
      { name: 'far', type: 'spiffe-x509', trust_domain: 'partner.example', bundle: 'file:far.pem' },
    )
    const { tenant, owner } = doc.agents[0]
    const claims = { sub: 'spiffe://corp.example/agents/*' }
    doc.agents.push({
      id: 'meshed',
      tenant,
      owner,
      proof: 'key',
      match: { issuer: 'mesh', claims },
    })
  })
  broker.write('corp.pem', corp.pem)
  broker.write('far.pem', partner.pem)
  const opened = (shown?: Certified, chain?: string) =>
    broker.client(shown, chain).call('POST /v1/tasks', { body: OPENING })
  return { broker, corp, partner, opened }
}

describe('an X.509-SVID', () => {
  it('P10: opens a task by itself, with proof "key", and is needed by every later call', async () => {
    const { broker, corp, opened } = await mesh()
    await broker.start()
    const svid = corp.issue({ uris: [ID] })
    const { status, body } = await opened(svid)
    expect(status).toBe(201)
    const { task, token } = body
    expect(task).toMatchObject({
      agent: 'meshed',
      workload: `mesh/${ID}`,
      proof: 'key',
      key: `x5t#S256:${svid.thumbprint}`,
    })
    const line = `POST /v1/tasks/${task.id}/credentials`
    const asked = { token, body: { entitlement: 'tickets-read' } }
    expect((await broker.client(svid).call(line, asked)).status).toBe(201)
    expect((await broker.client().call(line, asked)).status).toBe(401)
    const sibling = corp.issue({ uris: ['spiffe://corp.example/agents/other'] })
    expect((await broker.client(sibling).call(line, asked)).status).toBe(401)
  })

  it('may come over an authority between, if its trust domain is the only one of the listener', async () => {
    const { broker, corp, partner, opened } = await mesh()
    const [between, beyond] = [corp.intermediate('between'), partner.intermediate('between')]
    const svid = between.issue({ uris: [ID] })
    await broker.start()
    // The others could have signed it just as well: node does not tell a server who did.
    expect((await opened(svid, between.pem)).status).toBe(401)
    broker.configure((doc) => {
      doc.issuers.pop()
      doc.server.tls = { cert: 'cert.pem', key: 'key.pem' }
    })
    await broker.restart()
    expect((await opened(svid, between.pem)).status).toBe(201)
    expect((await opened(svid)).status).toBe(401)
    const foreign = beyond.issue({ uris: [ID] })
    expect((await opened(foreign, beyond.pem)).status).toBe(401)
  })

  it('P10: an authority that came or went by a reload vouches for no handshake of before', async () => {
    const { broker, corp, partner, opened } = await mesh()
    broker.configure((doc) => {
      doc.server.tls = { cert: 'cert.pem', key: 'key.pem' }
      doc.issuers.pop()
    })
    await broker.start()
    const between = corp.intermediate('between')
    const client = broker.client(between.issue({ uris: [ID] }), between.pem)
    expect((await client.call('POST /v1/tasks', { body: OPENING })).status).toBe(201)
    broker.write('corp.pem', partner.pem)
    await broker.reload()
    expect((await client.call('POST /v1/tasks', { body: OPENING })).status).toBe(401)
    const beyond = partner.intermediate('beyond')
    const next = beyond.issue({ uris: [ID] })
    // A handshake may have begun before the reload: for ten seconds both are thinkable.
    expect((await opened(next, beyond.pem)).status).toBe(401)
    expect((await opened(partner.issue({ uris: [ID] }))).status).toBe(201)
  })

  it.each<[string, (by: Awaited<ReturnType<typeof mesh>>) => Certified]>([
    ['signed under another trust domain', ({ partner }) => partner.issue({ uris: [ID] })],
    [
      'signed by the authority of other clients',
      ({ broker }) => broker.clients.issue({ uris: [ID] }),
    ],
    [
      'of a trust domain nobody configured',
      ({ corp }) => corp.issue({ uris: ['spiffe://x.example/agents/a'] }),
    ],
    ['without a SPIFFE ID', ({ corp }) => corp.issue({ dns: ['corp.example'] })],
    ['with two', ({ corp }) => corp.issue({ uris: [ID, `${ID}-2`] })],
    [
      'with another URI beside it',
      ({ corp }) => corp.issue({ uris: [ID, 'https://corp.example'] }),
    ],
    ['with a list hidden in a name', ({ corp }) => corp.issue({ dns: [`a, URI:${ID}`] })],
    ['with a list hidden in its URI', ({ corp }) => corp.issue({ uris: [`${ID}, DNS:x`] })],
    ['with no path', ({ corp }) => corp.issue({ uris: ['spiffe://corp.example'] })],
    ['with a root path', ({ corp }) => corp.issue({ uris: ['spiffe://corp.example/'] })],
    ['with dots', ({ corp }) => corp.issue({ uris: ['spiffe://corp.example/agents/../agents/a'] })],
    ['with a query', ({ corp }) => corp.issue({ uris: [`${ID}?a`] })],
    ['with a port', ({ corp }) => corp.issue({ uris: ['spiffe://corp.example:1/agents/a'] })],
    ['in capitals', ({ corp }) => corp.issue({ uris: ['spiffe://CORP.example/agents/a'] })],
    [
      'that is an authority',
      ({ corp }) =>
        corp.issue({ uris: [ID], ca: true, usages: USAGE.digitalSignature | USAGE.keyCertSign }),
    ],
    [
      'whose key may sign certificates',
      ({ corp }) => corp.issue({ uris: [ID], usages: USAGE.digitalSignature | USAGE.keyCertSign }),
    ],
    [
      'whose key may sign revocations',
      ({ corp }) => corp.issue({ uris: [ID], usages: USAGE.digitalSignature | USAGE.cRLSign }),
    ],
    [
      'that does not say what its key may do',
      ({ corp }) => corp.issue({ uris: [ID], usages: null }),
    ],
    [
      'that has expired',
      ({ corp }) => corp.issue({ uris: [ID], to: new Date(Date.now() - 1_000) }),
    ],
    [
      'of a workload that is no agent',
      ({ corp }) => corp.issue({ uris: ['spiffe://corp.example/web/a'] }),
    ],
  ])('P10: is refused if %s', async (what, issue) => {
    const by = await mesh()
    await by.broker.start()
    const { status, body } = await by.opened(issue(by))
    const expected = what.includes('no agent') ? [403, 'agent_unknown'] : [401, 'unauthenticated']
    expect([status, body.code]).toEqual(expected)
  })

  it('P10: nothing is opened without a certificate and without a token', async () => {
    const { broker, opened } = await mesh()
    await broker.start()
    expect((await opened()).status).toBe(401)
  })

  it('P7: is refused once a reload takes its authority away, on open connections too', async () => {
    const { broker, corp } = await mesh()
    await broker.start()
    const client = broker.client(corp.issue({ uris: [ID] }))
    expect((await client.call('POST /v1/tasks', { body: OPENING })).status).toBe(201)
    broker.write('corp.pem', Authority.named(NAME).pem)
    await broker.reload()
    expect((await client.call('POST /v1/tasks', { body: OPENING })).status).toBe(401)
  })

  it.each([
    ['no certificate', 'nonsense', /no certificate/],
    ['a key beside it', Authority.named('x').pem + Authority.named('x').issue({}).key, /more than/],
    ['one of no authority', Authority.named('x').issue({}).cert, /of no authority/],
    ['one that cannot be read', Authority.named('x').pem.replace('MII', 'AAA'), /cannot be read/],
  ])('P16: a bundle that holds %s is refused with its path', async (_, text, message) => {
    const { broker } = await mesh()
    broker.write('corp.pem', text)
    await expect(broker.start()).rejects.toMatchObject({
      problems: [{ path: 'issuers[1].bundle', message: expect.stringMatching(message) }],
    })
  })

  it('P16: needs a listener with TLS', async () => {
    const { broker } = await mesh()
    broker.configure((doc) => {
      doc.server = { listen: '127.0.0.1:0' }
    })
    await expect(broker.start()).rejects.toMatchObject({
      problems: [{ path: 'issuers[1].type' }, { path: 'issuers[2].type' }],
    })
  })
})

it('what a key may be used for is read from the certificate', () => {
  const authority = Authority.named('x')
  const usesOf = (usages: number | null) =>
    keyUses(
      new X509Certificate(
        authority.issue({ usages, uris: [`spiffe://x/${'y'.repeat(300)}`] }).cert,
      ),
    )
  expect(usesOf(null)).toBeUndefined()
  expect(usesOf(USAGE.digitalSignature)).toEqual(new Set(['digitalSignature']))
  expect(usesOf(USAGE.keyCertSign | USAGE.cRLSign)).toEqual(new Set(['keyCertSign', 'cRLSign']))
})
