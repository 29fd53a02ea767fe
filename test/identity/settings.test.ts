import { describe, expect, it } from 'vitest'
import { agentSchema, issuerSchema } from '../../src/identity/settings.ts'

const issuer = { name: 'corp', type: 'oidc', issuer: 'https://corp.example', audience: 'mayfly' }
const agent = {
  id: 'a',
  tenant: 't',
  owner: 'o',
  match: { issuer: 'corp', claims: { sub: 'robot' } },
}

describe('an issuer’s settings', () => {
  it('need little, and default to asymmetric algorithms, bounded age and no one-time use', () => {
    expect(issuerSchema.parse(issuer)).toEqual({
      ...issuer,
      algorithms: ['RS256', 'ES256'],
      clock_tolerance_seconds: 30,
      max_age_seconds: 86_400,
      one_time: false,
    })
  })

  it.each([
    ['plain http', { issuer: 'http://corp.example' }],
    ['a host that only looks like loopback', { issuer: 'http://127.0.0.1.evil.example' }],
    ['another scheme', { jwks_uri: 'file:///keys' }],
    ['a password in the address', { jwks_uri: 'https://a:b@corp.example/jwks' }],
    ['a shared-secret algorithm', { algorithms: ['HS256'] }],
    ['alg none', { algorithms: ['none'] }],
    ['no algorithm', { algorithms: [] }],
    ['a large tolerance', { clock_tolerance_seconds: 61 }],
    ['an unknown field', { audiences: ['x'] }],
    ['an empty audience', { audience: '' }],
    ['a name with a slash', { name: 'a/b' }],
  ])('refuse %s', (_, overlay) => {
    expect(issuerSchema.safeParse({ ...issuer, ...overlay }).success).toBe(false)
  })

  it('accept http on this machine', () => {
    for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]']) {
      const url = `http://${host}:8080`
      expect(issuerSchema.safeParse({ ...issuer, issuer: url }).success).toBe(true)
    }
  })
})

describe('an agent’s settings', () => {
  it('must say which workloads, by at least one claim', () => {
    expect(agentSchema.safeParse(agent).success).toBe(true)
    const none = { ...agent, match: { issuer: 'corp', claims: {} } }
    expect(agentSchema.safeParse(none).success).toBe(false)
  })
})
