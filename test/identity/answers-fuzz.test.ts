import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { MayflyError } from '../../src/errors.ts'
import { parseSpiffeId } from '../../src/identity/spiffe-id.ts'
import { goodClaims, identityFor } from './fixture.ts'
import { startIssuer } from './issuer-server.ts'
import { startSpire } from './spire-server.ts'

/** An answer of whatever body, as JSON or not. */
const body = fc.oneof(
  fc.json(),
  fc.string(),
  fc
    .dictionary(
      fc.constantFrom('keys', 'issuer', 'jwks_uri', 'status', 'spiffe_sequence'),
      fc.jsonValue(),
    )
    .map((value) => JSON.stringify(value)),
  fc
    .array(
      fc.dictionary(
        fc.constantFrom('kty', 'kid', 'use', 'alg', 'crv', 'x', 'n', 'e', 'k'),
        fc.jsonValue(),
      ),
    )
    .map((keys) => JSON.stringify({ keys })),
)

/** Neither accepted nor anything but the two refusals. */
async function mustRefuse(attempt: Promise<unknown>) {
  const outcome = await attempt.then(
    () => 'accepted',
    (error: unknown) => (error instanceof MayflyError ? error.code : error),
  )
  expect(outcome).toMatch(/^(unauthenticated|unavailable)$/)
}

it('P10: no answer about keys makes a stranger’s token good, or surprises', async () => {
  const corp = await startIssuer()
  onTestFinished(() => corp.close())
  const spire = await startSpire('corp.example')
  onTestFinished(() => spire.close())
  const token = await corp.sign(goodClaims(corp))
  const svid = await spire.svid('/a', { now: Date.UTC(2027, 0, 15, 12) })
  const mesh = {
    ...{ type: 'spiffe', issuer: undefined, jwks_uri: undefined },
    ...{ trust_domain: 'corp.example', bundle: 'https://spire.example/bundle' },
  }
  await fc.assert(
    fc.asyncProperty(
      body,
      fc.constantFrom(200, 200, 201, 204, 302, 404, 500),
      async (text, status) => {
        const answer = async () => new Response(status === 204 ? null : text, { status })
        for (const overlay of [{}, { jwks_uri: undefined }]) {
          await mustRefuse(identityFor(corp, overlay, [], { fetch: answer }).identity.verify(token))
        }
        await mustRefuse(identityFor(corp, mesh, [], { fetch: answer }).identity.verify(svid))
      },
    ),
    { numRuns: 400 },
  )
})

it('P10: no review that is not clearly about this token and us lets it pass, or surprises', async () => {
  const cluster = await startIssuer()
  onTestFinished(() => cluster.close())
  const sub = 'system:serviceaccount:agents:robot'
  const bound = {
    ...{ namespace: 'agents', serviceaccount: { name: 'robot', uid: 'u1' } },
    pod: { name: 'p', uid: 'u2' },
  }
  const token = await cluster.sign({ ...goodClaims(cluster), sub, 'kubernetes.io': bound })
  const keys = JSON.stringify({ keys: cluster.keys.map((key) => key.jwk) })
  const metadata = JSON.stringify({ issuer: cluster.url })
  const extra = { 'authentication.kubernetes.io/pod-uid': ['u2'] }
  const yes = {
    authenticated: true,
    audiences: ['mayfly'],
    user: { username: sub, uid: 'u1', extra },
  }
  const verify = (review: () => Response) => {
    const answer: typeof fetch = async (url) => {
      if (String(url).endsWith('/tokenreviews')) return review()
      return new Response(String(url).endsWith('jwks') ? keys : metadata)
    }
    const overlay = {
      ...{ type: 'kubernetes', jwks_uri: undefined, token_review: true },
      api_server: { url: 'https://api.example', token: 'file:/token' },
    }
    return identityFor(cluster, overlay, [], { fetch: answer, secret: () => 't' }).identity.verify(
      token,
    )
  }
  const answered = (status: unknown) => new Response(JSON.stringify({ status }), { status: 201 })
  expect((await verify(() => answered(yes))).subject).toBe(sub)
  const field = fc.constantFrom('authenticated', 'audiences', 'user')
  await fc.assert(
    fc.asyncProperty(field, fc.jsonValue(), body, async (name, value, text) => {
      const changed = { ...yes, [name]: value }
      fc.pre(JSON.stringify(changed) !== JSON.stringify(yes))
      const stillYes = name === 'audiences' && Array.isArray(value) && value.includes('mayfly')
      fc.pre(!stillYes)
      await mustRefuse(verify(() => answered(changed)))
      await mustRefuse(verify(() => new Response(text, { status: 201 })))
      await mustRefuse(verify(() => new Response(JSON.stringify({ status: yes }), { status: 200 })))
    }),
    { numRuns: 400 },
  )
})

it('a SPIFFE ID is read whole or not at all', () => {
  const text = fc.oneof(
    fc.string(),
    fc
      .string({ unit: fc.constantFrom('s', ':', '/', '.', '%', 'A', '@', '\n') })
      .map((rest) => `spiffe://a${rest}`),
  )
  fc.assert(
    fc.property(text, (given) => {
      const id = parseSpiffeId(given)
      if (id === undefined) return
      expect(`spiffe://${id.trustDomain}${id.path}`).toBe(given)
      expect(new URL(given).pathname).toBe(id.path)
      expect(new URL(given).host).toBe(id.trustDomain)
    }),
    { numRuns: 2_000 },
  )
})
