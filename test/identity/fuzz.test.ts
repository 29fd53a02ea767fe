import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MayflyError } from '../../src/errors.ts'
import { goodClaims, identityFor } from './fixture.ts'
import { type IssuerServer, startIssuer } from './issuer-server.ts'

let corp: IssuerServer
beforeAll(async () => {
  corp = await startIssuer()
})
afterAll(() => corp.close())

/** Never accepted, and never anything but the one refusal. */
async function mustRefuse(verify: (token: string) => Promise<unknown>, token: string) {
  const outcome = await verify(token).then(
    () => 'accepted',
    (error: unknown) => (error instanceof MayflyError ? error.code : error),
  )
  expect(outcome).toBe('unauthenticated')
}

it('P10: no mutation of a good token is accepted or surprises', async () => {
  const { identity } = identityFor(corp)
  const good = await corp.sign(goodClaims(corp))
  const characters = fc.constantFrom(...'AZaz09-_.=+/ \u0000é{')
  const mutation = fc.tuple(fc.nat(good.length - 1), fc.nat(3), fc.string({ unit: characters }))
  await fc.assert(
    fc.asyncProperty(mutation, async ([at, removed, inserted]) => {
      const mutated = good.slice(0, at) + inserted + good.slice(at + removed)
      fc.pre(mutated !== good)
      await mustRefuse(identity.verify, mutated)
    }),
    { numRuns: 1_500 },
  )
})

it('P10: no header or payload around a real signature is accepted or surprises', async () => {
  const { identity } = identityFor(corp)
  const good = await corp.sign(goodClaims(corp))
  const [head = '', body = '', signature = ''] = good.split('.')
  const encode = (value: unknown) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  const header = fc.oneof(fc.jsonValue(), fc.record({ alg: fc.jsonValue(), kid: fc.jsonValue() }))
  const claim = fc.oneof(fc.jsonValue(), fc.constant(goodClaims(corp).iss))
  const claims = fc.oneof(
    fc.json(),
    fc.record({ iss: claim, aud: claim, exp: claim, iat: claim, sub: claim }),
    fc.dictionary(fc.string(), fc.jsonValue()).map((more) => ({ ...goodClaims(corp), ...more })),
  )
  await fc.assert(
    fc.asyncProperty(header, claims, fc.boolean(), async (h, c, keepHeader) => {
      const forged = `${keepHeader ? head : encode(h)}.${encode(c)}.${signature}`
      fc.pre(!forged.startsWith(`${head}.${body}.`))
      await mustRefuse(identity.verify, forged)
    }),
    { numRuns: 1_000 },
  )
})
