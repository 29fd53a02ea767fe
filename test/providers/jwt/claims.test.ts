import { expect, it, onTestFinished } from 'vitest'
import { claimsOf } from '../../../providers/jwt/claims.ts'
import { jwt } from '../../../providers/jwt/index.ts'
import type { OwnTokens, ProviderContext } from '../../../src/provider.ts'
import { realTime } from '../../fixture/real-time.ts'
import { writerOf } from '../../fixture/writer.ts'
import { AUDIENCE, ISSUER, OwnBroker } from './own-broker.ts'

const DETAIL = { type: 'api', actions: ['read'], locations: ['/x'] }

function claims(overlay: object) {
  const order = {
    agent: 'printer',
    tenant: 'support',
    upstreamName: 'mf-aaaaaaaaaaaaaaaaaaaa',
    generation: 1,
    holder: { key: null, chain: [] },
    ...overlay,
  } as unknown as Parameters<typeof claimsOf>[0] // what claims are made of, and no more
  const compiled = { audience: [AUDIENCE], authorization_details: [DETAIL] }
  return claimsOf(order, { compiled, iat: 1, exp: 2 })
}

it('RFC 8693: who delegated first is the subject, who acts now the outermost actor', () => {
  const chain = ['fetcher', 'reader', 'planner'].map((agent) => ({ agent, task: 'task_x' }))
  expect(claims({ holder: { key: null, chain } })).toMatchObject({
    sub: 'planner',
    client_id: 'printer',
    act: { sub: 'printer', act: { sub: 'fetcher', act: { sub: 'reader' } } },
  })
  expect(claims({ holder: { key: null, chain: chain.slice(2) } })).toMatchObject({
    sub: 'planner',
    act: { sub: 'printer' },
  })
  expect(claims({})).not.toHaveProperty('act')
})

it.each([
  ['jkt:abc', { jkt: 'abc' }],
  ['x5t#S256:def', { 'x5t#S256': 'def' }],
])('RFC 7800: the key %s is what whoever uses the token must show', (key, cnf) => {
  expect(claims({ holder: { key, chain: [] } })).toMatchObject({ cnf })
})

it('P17: a broker that cannot keep its key says so before it mints', async () => {
  const own = new OwnBroker()
  onTestFinished(() => own.close())
  const failing = { ...own.ownTokens, prepare: () => Promise.reject(new Error('read-only')) }
  const context: ProviderContext<unknown> = {
    name: 'own',
    installation: 'test',
    writer: writerOf(),
    settings: jwt.settings.parse({ type: 'jwt' }),
    clock: { ...realTime, now: Date.now, earliest: Date.now, latest: Date.now },
    secret: () => {
      throw new Error('there is none')
    },
    log: { info: () => {}, warn: () => {} },
  }
  const checked = (ownTokens: OwnTokens) => jwt.create({ ...context, ownTokens }).check()
  expect(await checked(failing)).toMatchObject([{ level: 'blocking' }])
  expect(await checked(own.ownTokens)).toMatchObject([{ level: 'ok' }])
  expect(own.ownTokens.issuer).toBe(ISSUER)
})
