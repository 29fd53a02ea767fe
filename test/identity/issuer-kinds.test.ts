import { describe, expect, it } from 'vitest'
import { parseIdentity } from '../../src/config/identity.ts'
import { Report } from '../../src/config/report.ts'
import { matchProblem } from '../../src/identity/match-problem.ts'
import { type IssuerConfig, issuerSchema, matchSchema } from '../../src/identity/settings.ts'

const shared = { name: 'one', audience: 'mayfly' }
const api_server = { url: 'https://10.0.0.1:6443', ca: 'file:/ca.crt', token: 'file:/token' }
const kubernetes = { ...shared, type: 'kubernetes', issuer: 'https://kubernetes.default.svc' }
const spiffe = {
  ...shared,
  type: 'spiffe',
  trust_domain: 'corp.example',
  bundle: 'https://spire.corp.example/bundle',
}
const github = { ...shared, type: 'github-actions', owner_ids: ['4711'] }
const gcp = { ...shared, type: 'gcp' }

const problems = (issuer: Record<string, unknown>) =>
  issuerSchema.safeParse(issuer).error?.issues.map(({ path }) => path.join('.')) ?? []

describe('an issuer’s kind', () => {
  it('needs little, with defaults that refuse', () => {
    expect(issuerSchema.parse(kubernetes)).toMatchObject({ pod_bound: true, token_review: false })
    expect(issuerSchema.parse(spiffe)).toMatchObject({ algorithms: ['RS256', 'ES256'] })
    expect(issuerSchema.parse(github)).toMatchObject({
      issuer: 'https://token.actions.githubusercontent.com',
      one_time: true,
    })
    expect(issuerSchema.parse(gcp)).toMatchObject({
      jwks_uri: 'https://www.googleapis.com/oauth2/v3/certs',
    })
  })

  it.each([
    ['an unknown kind', { ...gcp, type: 'saml' }, 'type'],
    ['a review without an API server', { ...kubernetes, token_review: true }, 'token_review'],
    [
      'a review without a token for it',
      { ...kubernetes, token_review: true, api_server: { url: api_server.url } },
      'token_review',
    ],
    [
      'two places for keys',
      { ...kubernetes, api_server, jwks_uri: 'https://keys.example' },
      'jwks_uri',
    ],
    [
      'a token in place',
      { ...kubernetes, api_server: { ...api_server, token: 'eyJ' } },
      'api_server.token',
    ],
    ['the API server’s audience', { ...kubernetes, audience: kubernetes.issuer }, 'audience'],
    ['GitHub’s own audience', { ...github, audience: 'https://github.com/acme' }, 'audience'],
    ['a trust domain with a scheme', { ...spiffe, trust_domain: 'spiffe://x' }, 'trust_domain'],
    ['a trust domain in capitals', { ...spiffe, trust_domain: 'Corp' }, 'trust_domain'],
    ['a bundle over plain http', { ...spiffe, bundle: 'http://spire.example' }, 'bundle'],
    ['EdDSA for JWT-SVIDs', { ...spiffe, algorithms: ['EdDSA'] }, 'algorithms.0'],
    ['GitHub without an owner', { ...github, owner_ids: [] }, 'owner_ids'],
    ['an owner by name', { ...github, owner_ids: ['acme'] }, 'owner_ids.0'],
    [
      'Google as any other issuer',
      { ...shared, type: 'oidc', issuer: 'https://accounts.google.com' },
      'issuer',
    ],
  ])('P16: is refused with %s', (_, issuer, path) => {
    expect(problems(issuer)).toEqual([path])
  })
})

describe('P16: a match that does not fit its issuer', () => {
  const problem = (issuer: Record<string, unknown>, claims: Record<string, string>) =>
    matchProblem(
      matchSchema.parse({ issuer: 'one', claims }),
      issuerSchema.parse(issuer) as IssuerConfig,
    )

  const wrong: [string, Record<string, unknown>, Record<string, string>, string | undefined][] = [
    ['a name no cluster writes', kubernetes, { 'service-account': 'x' }, 'service-account'],
    ['a name of any namespace', kubernetes, { service_account: 'agent' }, undefined],
    ['every pod', kubernetes, { aud: 'mayfly' }, 'aud'],
    ['no SPIFFE ID', spiffe, { aud: 'mayfly' }, undefined],
    ['a SPIFFE ID elsewhere', spiffe, { sub: 'spiffe://other.example/a' }, 'sub'],
    ['a trust domain by pattern', spiffe, { sub: 'spiffe://*/a' }, 'sub'],
    ['a repository by its name only', github, { repository: 'acme/site' }, undefined],
    ['any repository', github, { repository_id: '*' }, 'repository_id'],
    ['anyone’s workflow', github, { job_workflow_ref: '*/ci/x' }, 'job_workflow_ref'],
    ['any account', gcp, { email: '*' }, 'email'],
    ['any host', gcp, { email: 'x@*.example' }, 'email'],
    ['any consumer', gcp, { email: '*@gmail.com' }, 'email'],
    ['any default account', gcp, { email: '*@developer.gserviceaccount.com' }, 'email'],
    ['any project', gcp, { email: 'agent@*.iam.gserviceaccount.com' }, 'email'],
    ['any service agent', gcp, { email: '*@gcp-sa-pubsub.iam.gserviceaccount.com' }, 'email'],
    ['no account', gcp, { instance_name: 'web' }, undefined],
    ['any project', gcp, { project_id: '*' }, 'project_id'],
  ]
  it.each(wrong)('%s', (_, issuer, claims, claim) => {
    const found = problem(issuer, claims)
    expect(found).toBeDefined()
    expect(found?.claim).toBe(claim)
  })

  it('and one that does', () => {
    const right: [Record<string, unknown>, Record<string, string>][] = [
      [kubernetes, { namespace: 'agents', service_account: 'a', 'kubernetes.io/pod/name': 'a-*' }],
      [spiffe, { sub: 'spiffe://corp.example/ns/agents/sa/*' }],
      [github, { repository_id: '1', environment: 'prod' }],
      [github, { job_workflow_ref: 'acme/ci/.github/workflows/agent.yml@refs/heads/main' }],
      [kubernetes, { sub: 'system:serviceaccount:agents:*' }],
      [gcp, { email: '*@agents.iam.gserviceaccount.com' }],
      [gcp, { email: '12-compute@developer.gserviceaccount.com' }],
    ]
    for (const [issuer, claims] of right) expect(problem(issuer, claims)).toBeUndefined()
  })
})

describe('P16: issuers beside each other', () => {
  const oidc = { ...shared, type: 'oidc', issuer: 'https://idp.example' }
  const read = (...issuers: Record<string, unknown>[]) => {
    const report = new Report()
    const named = issuers.map((issuer, n) => ({ ...issuer, name: `issuer-${n}` }))
    parseIdentity(report, { issuers: named }, { resolveSecret: () => undefined, server: undefined })
    return {
      problems: report.problems.map(({ path }) => path),
      warnings: report.warnings.map(({ path }) => path),
    }
  }

  it('share no address, whatever their kind and audience', () => {
    const twins = [
      [oidc, { ...oidc, audience: 'other' }],
      [oidc, { ...kubernetes, issuer: oidc.issuer }],
      [github, { ...github, owner_ids: ['1'] }],
      [gcp, gcp],
    ]
    for (const pair of twins) expect(read(...pair).problems).toEqual(['issuers[1].issuer'])
    const domains = read(spiffe, { ...spiffe, bundle: 'https://else.example' })
    expect(domains.problems).toEqual(['issuers[1].trust_domain'])
  })

  it('need what they refer to', () => {
    expect(read({ ...kubernetes, api_server }).problems).toEqual([
      'issuers[0].api_server.ca',
      'issuers[0].api_server.token',
    ])
    expect(read({ ...spiffe, bundle: 'file:/bundle.json' }).problems).toEqual(['issuers[0].bundle'])
  })

  it('are better GitHub by name', () => {
    const plain = { ...oidc, issuer: 'https://token.actions.githubusercontent.com' }
    expect(read(plain)).toEqual({ problems: [], warnings: ['issuers[0].type'] })
  })
})
