import { afterEach, beforeEach, expect, it } from 'vitest'
import { OPENING, testApi } from '../fixture/http.ts'
import { START } from '../fixture/time.ts'
import { type IssuerServer, newKey, startIssuer } from './issuer-server.ts'

let google: IssuerServer
beforeEach(async () => {
  google = await startIssuer()
  google.keys = [await newKey('google-1', 'RS256')]
})
afterEach(() => google.close())

const EMAIL = 'summariser@acme-agents.iam.gserviceaccount.com'
const MACHINE = {
  instance_creation_timestamp: 1_704_067_200,
  instance_id: '8029',
  instance_name: 'agents-1',
  project_id: 'acme-agents',
  project_number: 5_021,
  zone: 'us-central1-a',
}

/** As a metadata server answers with `format=full`. */
function token(claims: Record<string, unknown> = {}): Promise<string> {
  const iat = START / 1_000
  const good = {
    iss: 'https://accounts.google.com',
    aud: 'mayfly',
    azp: '1176',
    sub: '1176',
    email: EMAIL,
    email_verified: true,
    google: { compute_engine: MACHINE },
    iat,
    exp: iat + 3_600,
  }
  return google.sign({ ...good, ...claims }, { header: { typ: 'JWT' } })
}

async function broker(claims: Record<string, string> = { email: EMAIL }) {
  const match = { issuer: 'google', claims }
  const api = await testApi({
    change: (doc) => {
      doc.issuers.push({
        ...{ name: 'google', type: 'gcp', audience: 'mayfly', jwks_uri: google.jwksUri },
      })
      doc.agents.push({ id: 'on-machine', tenant: 'support', owner: 'o@example.com', match })
      doc.operators.push({ name: 'machine', roles: ['auditor'], tenants: ['*'], match })
    },
  })
  const open = async (evidence: string) => {
    const { status, body } = await api.call('POST /v1/tasks', { token: evidence, body: OPENING })
    return status === 201 ? body.task.agent : `${status} ${body.code}`
  }
  return { ...api, open }
}

it('a machine opens a task as the agent of its account, and identifies an operator', async () => {
  const api = await broker()
  expect(await api.open(await token())).toBe('on-machine')
  expect((await api.call('GET /v1/leases', { token: await token() })).status).toBe(200)
  const other = await token({ email: 'other@acme-agents.iam.gserviceaccount.com' })
  expect(await api.open(other)).toBe('403 agent_unknown')
})

it('is told by project, zone and instance too, which an account without machine lacks', async () => {
  const api = await broker({ project_id: 'acme-agents', zone: 'us-central1-*' })
  expect(await api.open(await token())).toBe('on-machine')
  expect(await api.open(await token({ google: undefined }))).toBe('403 agent_unknown')
})

it.each([
  ['no email', { email: undefined }],
  ['an email that is not verified', { email_verified: false }],
  ['an email said to be verified in words', { email_verified: 'true' }],
  ['another issuer’s name for Google', { iss: 'accounts.google.com' }],
  ['a claim that says what the machine does', { project_id: 'acme-agents' }],
  ['an end in the past', { exp: START / 1_000 - 31 }],
])('P10: refuses a token with %s', async (_, overlay) => {
  expect(await (await broker()).open(await token(overlay))).toBe('401 unauthenticated')
})
