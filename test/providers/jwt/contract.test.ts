import { describe, expect, it } from 'vitest'
import { jwt } from '../../../providers/jwt/index.ts'
import { providerContract } from '../../provider-contract.ts'
import { AUDIENCE, OwnBroker } from './own-broker.ts'

const READ_TICKET = [{ type: 'api', actions: ['tickets:read'], locations: ['/tickets/4711/*'] }]

for (const algorithm of ['ES256', 'EdDSA'] as const) {
  providerContract(`jwt with ${algorithm}`, async () => {
    const broker = new OwnBroker()
    return {
      definition: broker.definition,
      settings: { type: 'jwt', algorithm },
      target: { audience: AUDIENCE, introspect: 'required' },
      intent: READ_TICKET,
      inexpressible: [
        {
          why: 'steps out of its path',
          intent: [{ type: 'api', actions: ['read'], locations: ['/tickets/../users/*'] }],
        },
        {
          why: 'an escape that two readers may read differently',
          intent: [{ type: 'api', actions: ['read'], locations: ['/tickets/%2e%2e/users'] }],
        },
        {
          why: 'an action that would be two scopes',
          intent: [{ type: 'api', actions: ['read delete'], locations: ['/tickets/*'] }],
        },
        {
          why: 'more than fits a header',
          intent: Array.from({ length: 20 }, (_, n) => ({
            type: 'api',
            actions: ['read'],
            locations: [`/${'long'.repeat(100)}/${n}`],
          })),
        },
      ],
      ttlSeconds: 60,
      useInside: (minted) => broker.lets(minted, 'tickets:read', '/tickets/4711/mail.txt'),
      useOutside: async (minted) =>
        (await broker.lets(minted, 'tickets:read', '/tickets/4712/mail.txt')) ||
        (await broker.lets(minted, 'tickets:delete', '/tickets/4711/mail.txt')),
      ledger: broker.ledger,
      faults: broker.faults,
      mintOperation: 'sign',
      refusal: { kind: 'fail', status: 403 },
      endOperations: ['end', 'introspect'],
      settle: async () => {},
      close: () => broker.close(),
    }
  })
}

describe('what an end is worth is said of each target', () => {
  const described = (target: object) =>
    jwt.describe({
      settings: jwt.settings.parse({ type: 'jwt' }),
      target: jwt.target.parse({ audience: AUDIENCE, ...target }),
      intent: READ_TICKET,
    })

  it.each([
    ['asks every time', { introspect: 'required' }, 'immediate', 900],
    ['keeps answers', { introspect: 'required', introspect_cache: '20s' }, 'propagating', 900],
    ['never asks', {}, 'expiry', 300],
  ])('one that %s', (_, target, revocability, maxSeconds) => {
    expect(described(target)).toMatchObject({ revocability, lifetime: { maxSeconds } })
  })

  it('one that keeps answers is exposed for as long', async () => {
    const broker = new OwnBroker()
    expect(described({ introspect: 'required', introspect_cache: '20s' })).toMatchObject({
      propagation: { typicalSeconds: 20, worstSeconds: 20 },
    })
    await broker.close()
  })

  it('and what the API itself gives out stays a residual', () => {
    expect(described({ residuals: ['session'] })).toMatchObject({ residuals: ['session'] })
    expect(() => described({ introspect_cache: '20s' })).toThrow('introspect: required')
    expect(() => described({ introspect: 'required', introspect_cache: '1h' })).toThrow()
    expect(() => described({ introspect: true })).toThrow()
  })
})
