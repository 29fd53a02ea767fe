import { afterEach, beforeEach, expect, it } from 'vitest'
import { OPENING, testApi } from '../fixture/http.ts'
import { START } from '../fixture/time.ts'
import { type IssuerServer, newKey, startIssuer } from './issuer-server.ts'

let github: IssuerServer
beforeEach(async () => {
  github = await startIssuer()
  github.keys = [await newKey('38826b17', 'RS256')]
})
afterEach(() => github.close())

/** As https://docs.github.com/en/actions/reference/security/oidc shows a job's token. */
function token(claims: Record<string, unknown> = {}, header = {}): Promise<string> {
  const iat = START / 1_000
  const good = {
    jti: 'example-id',
    sub: 'repo:acme/site:environment:production',
    environment: 'production',
    aud: 'mayfly',
    ref: 'refs/heads/main',
    sha: 'example-sha',
    repository: 'acme/site',
    repository_owner: 'acme',
    actor_id: '12',
    repository_visibility: 'private',
    repository_id: '74',
    repository_owner_id: '65',
    run_id: 'example-run-id',
    run_number: '10',
    run_attempt: '2',
    runner_environment: 'github-hosted',
    actor: 'octocat',
    workflow: 'agent',
    head_ref: '',
    base_ref: '',
    event_name: 'workflow_dispatch',
    ref_type: 'branch',
    job_workflow_ref: 'acme/ci/.github/workflows/agent.yml@refs/heads/main',
    check_run_id: '4711',
    iss: github.url,
    nbf: iat,
    iat,
    exp: iat + 300,
  }
  return github.sign({ ...good, ...claims }, { header: { typ: 'JWT', ...header } })
}

const claims = { repository_id: '74', environment: 'production' }

async function broker(overlay: Record<string, unknown> = {}) {
  const match = { issuer: 'github', claims }
  const api = await testApi({
    change: (doc) => {
      doc.issuers.push({
        ...{ name: 'github', type: 'github-actions', issuer: github.url },
        ...{ audience: 'mayfly', owner_ids: ['64', '65'] },
        ...overlay,
      })
      doc.agents.push({ id: 'releaser', tenant: 'support', owner: 'o@example.com', match })
      doc.operators.push({ name: 'workflow', roles: ['auditor'], tenants: ['*'], match })
    },
  })
  const open = async (evidence: string) => {
    const { status, body } = await api.call('POST /v1/tasks', { token: evidence, body: OPENING })
    return status === 201 ? body.task.agent : `${status} ${body.code}`
  }
  return { ...api, open }
}

it('a job opens a task as the agent of its repository and environment', async () => {
  const api = await broker()
  expect(await api.open(await token())).toBe('releaser')
  expect(await api.open(await token({ jti: 'b', environment: 'staging' }))).toBe(
    '403 agent_unknown',
  )
  expect(await api.open(await token({ jti: 'c', repository_id: '75' }))).toBe('403 agent_unknown')
})

it('P10: a job’s token counts once, unless the operator says otherwise', async () => {
  const once = await broker()
  const again = await broker({ one_time: false })
  const evidence = await token()
  expect([await once.open(evidence), await once.open(evidence)]).toEqual([
    'releaser',
    '401 unauthenticated',
  ])
  expect([await again.open(evidence), await again.open(evidence)]).toEqual(['releaser', 'releaser'])
})

it('identifies an operator where its token may be shown again', async () => {
  const read = async (overlay: Record<string, unknown>) =>
    (await (await broker(overlay)).call('GET /v1/leases', { token: await token() })).status
  expect(await read({ one_time: false })).toBe(200)
  expect(await read({})).toBe(401)
})

it.each([
  ['another owner, under a name that was ours once', { repository_owner_id: '66' }],
  ['an owner that is a number, as no token says it', { repository_owner_id: 65 }],
  ['no repository', { repository: undefined }],
  ['no id of its repository', { repository_id: undefined }],
  ['no id of its owner', { repository_owner_id: undefined }],
  ['an id that is a list', { repository_id: ['74', '75'] }],
  ['GitHub’s own audience', { aud: 'https://github.com/acme' }],
  ['no jti', { jti: undefined }],
])('P10: refuses a token with %s', async (_, overlay) => {
  expect(await (await broker()).open(await token(overlay))).toBe('401 unauthenticated')
})

it('P10: refuses an algorithm that GitHub does not use', async () => {
  github.keys = [await newKey('ec')]
  expect(await (await broker()).open(await token())).toBe('401 unauthenticated')
})
