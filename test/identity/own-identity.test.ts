import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { awsSts } from '../../providers/aws-sts/index.ts'
import { gcp } from '../../providers/gcp/index.ts'
import { parseIdentity } from '../../src/config/identity.ts'
import { Report } from '../../src/config/report.ts'
import { parseServer } from '../../src/config/server.ts'
import type { Doc } from '../fixture/broker.ts'
import { OPENING, testApi } from '../fixture/http.ts'
import { START } from '../fixture/time.ts'
import { type IssuerServer, newKey, startIssuer } from './issuer-server.ts'

let issuer: IssuerServer
beforeEach(async () => {
  issuer = await startIssuer()
  issuer.keys = [await newKey('rsa', 'RS256')]
})
afterEach(() => issuer.close())

const ROLE = 'arn:aws:iam::111122223333:role/agents/tickets'
const POOL = 'pool-1@acme.iam.gserviceaccount.com'
const SHARED = 'shared@acme.iam.gserviceaccount.com'

/** A broker whose targets are a role, a pool and a shared account; the issuer speaks for all. */
async function broker(type: Record<string, unknown>) {
  const entitlement = (id: string, provider: string, target: Doc, ceiling: Doc) => ({
    ...{ id, tenants: ['support'], provider, target, ceiling: [ceiling] },
  })
  const bucket = { type: 'gcp', actions: ['storage.objects.get'], locations: ['gs://tickets/*'] }
  const api = await testApi({
    providers: [awsSts, gcp],
    change: (doc) => {
      doc.providers.aws = { type: 'aws-sts', region: 'us-east-1' }
      doc.providers.gcp = { type: 'gcp' }
      doc.entitlements.push(
        entitlement(
          'aws-read',
          'aws',
          { role_arn: ROLE },
          {
            ...{ type: 'aws', actions: ['s3:GetObject'], locations: ['arn:aws:s3:::tickets/*'] },
          },
        ),
        entitlement('gcp-read', 'gcp', { service_accounts: [POOL] }, bucket),
        {
          ...entitlement('gcp-shared', 'gcp', { service_account: SHARED, shared: true }, bucket),
          revocability: 'expiry',
        },
      )
      doc.issuers.push({ name: 'cloud', audience: 'mayfly', jwks_uri: issuer.jwksUri, ...type })
      const claims =
        type.type === 'gcp' ? { email: '*@acme.iam.gserviceaccount.com' } : { aud: 'mayfly' }
      const match = { issuer: 'cloud', claims }
      doc.agents.push({ id: 'anyone', tenant: 'support', owner: 'o@example.com', match })
      doc.operators.push({ name: 'anyone', roles: ['auditor'], tenants: ['*'], match })
    },
  })
  return async (claims: Record<string, unknown>) => {
    const iat = START / 1_000
    const token = await issuer.sign({ aud: 'mayfly', iat, exp: iat + 300, ...claims })
    const answer = await api.call('POST /v1/tasks', { token, body: OPENING })
    const asOperator = await api.call('GET /v1/leases', { token })
    return `${answer.status} ${asOperator.status}`
  }
}

describe('P10: no credential that Mayfly issued is evidence', () => {
  it('of a service account in a pool or of a shared target', async () => {
    const show = await broker({ type: 'gcp' })
    const account = (email: string) =>
      show({ iss: 'https://accounts.google.com', sub: '1', email, email_verified: true })
    expect(await account('workload@acme.iam.gserviceaccount.com')).toBe('201 200')
    expect(await account(POOL)).toBe('401 401')
    expect(await account(SHARED)).toBe('401 401')
    expect(await account(POOL.replace('pool', 'POOL'))).toBe('401 401')
  })

  it('of a target’s role, as AWS names it or its sessions in an outbound token', async () => {
    const show = await broker({ type: 'oidc', issuer: issuer.url })
    const aws = (sub: string, more: object = {}) => show({ iss: issuer.url, sub, ...more })
    expect(await aws('arn:aws:iam::111122223333:role/agents/other')).toBe('201 200')
    expect(await aws('arn:aws:iam::999922223333:role/agents/tickets')).toBe('201 200')
    expect(await aws(ROLE)).toBe('401 401')
    const session = 'arn:aws:sts::111122223333:assumed-role/tickets/mf-aaaa'
    expect(await aws(session)).toBe('401 401')
    const nested = { 'https://sts.amazonaws.com/': { principal: { arns: ['x', session] } } }
    expect(await aws('someone', nested)).toBe('401 401')
  })

  it('of a task, an operator or nobody', async () => {
    const api = await testApi()
    const { token } = await api.open()
    for (const own of [token, api.operators.admin, 'mft_', '']) {
      expect((await api.call('POST /v1/tasks', { token: own, body: OPENING })).status).toBe(401)
    }
  })
})

describe('P10: a broker is no issuer of its own', () => {
  const problems = (server: object, overlay: Record<string, unknown>) => {
    const report = new Report()
    const one = { name: 'self', type: 'oidc', audience: 'mayfly', issuer: 'https://idp.example' }
    parseIdentity(
      report,
      { issuers: [{ ...one, ...overlay }] },
      {
        resolveSecret: () => undefined,
        server: parseServer(report, server, '/'),
      },
    )
    return report.problems.map(({ path }) => path)
  }
  const served = { public_url: 'https://corp.example/mayfly', behind_proxy: true }

  it.each([
    ['its address', { issuer: 'https://corp.example/mayfly' }, ['issuers[0].issuer']],
    [
      'its address in other letters',
      { issuer: 'https://CORP.example:443/mayfly/' },
      ['issuers[0].issuer'],
    ],
    ['below its address', { issuer: 'https://corp.example/mayfly/oauth2' }, ['issuers[0].issuer']],
    ['keys of its own', { jwks_uri: 'https://corp.example/mayfly/jwks' }, ['issuers[0].jwks_uri']],
    [
      'an API server of its own',
      { type: 'kubernetes', api_server: { url: 'https://corp.example/mayfly' } },
      ['issuers[0].api_server.url'],
    ],
    ['where it listens', { issuer: 'http://127.0.0.1:8700' }, ['issuers[0].issuer']],
    ['beside its address', { issuer: 'https://corp.example/mayfly-idp' }, []],
    ['elsewhere on the host', { issuer: 'https://corp.example/idp' }, []],
  ])('%s', (_, overlay, expected) => {
    expect(problems(served, overlay)).toEqual(expected)
  })
})
