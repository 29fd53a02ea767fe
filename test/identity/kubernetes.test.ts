import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type Doc, starterPolicies } from '../fixture/broker.ts'
import { Authority } from '../fixture/certificates.ts'
import { OPENING, testApi } from '../fixture/http.ts'
import { ManualTime } from '../fixture/time.ts'
import { Cluster, type TokenRequest } from '../sandbox/kubernetes/index.ts'
import type { Pod, ServiceAccount } from '../sandbox/kubernetes/objects.ts'
import { SecretSearch } from '../secret-search.ts'
import { goodClaims, identityFor, refusal } from './fixture.ts'
import { newKey, startIssuer } from './issuer-server.ts'

let time: ManualTime
let cluster: Cluster
const clusterKey = newKey('cluster-1', 'RS256')
let account: ServiceAccount
let pod: Pod

beforeEach(() => startCluster())

async function startCluster(tls?: { cert: string; key: string }) {
  time = new ManualTime()
  const key = await clusterKey
  cluster = await new Cluster({ now: time.wall, key, ...(tls ? { tls } : {}) }).start()
  onTestFinished(() => cluster.close())
  account = cluster.objects.createAccount('agents', 'ticket-summariser')
  pod = cluster.objects.createPod('agents', 'ticket-summariser-7d4b')
}

const match = {
  issuer: 'prod',
  claims: { namespace: 'agents', service_account: 'ticket-summariser' },
}

/** A broker that knows the cluster, with `overlay` over the issuer's settings. */
async function broker(
  overlay: Record<string, unknown> = {},
  change: (doc: Doc) => void = () => {},
  policies = starterPolicies(),
) {
  const self = cluster.objects.createAccount('mayfly', 'mayfly')
  cluster.reviewers.add('system:serviceaccount:mayfly:mayfly')
  const own = {
    'file:/run/ca': 'none',
    'file:/run/token': await cluster.token({ account: self, audience: cluster.issuer }),
  }
  const api = await testApi({
    time,
    policies,
    secrets: own,
    change: (doc) => {
      const api_server = { url: cluster.url, token: 'file:/run/token' }
      const { issuer } = cluster
      doc.issuers.push({
        ...{ name: 'prod', type: 'kubernetes', issuer, audience: 'mayfly' },
        ...{ api_server, token_review: true },
        ...overlay,
      })
      doc.agents.push({ id: 'in-cluster', tenant: 'support', owner: 'o@example.com', match })
      change(doc)
    },
  })
  const open = async (request: Partial<TokenRequest> = {}) => {
    const token = await cluster.token({ account, pod, audience: 'mayfly', ...request })
    const { status, body } = await api.call('POST /v1/tasks', { token, body: OPENING })
    return { said: status === 201 ? '201' : `${status} ${body.code}`, body, token }
  }
  const reasons = () => api.logged.map(({ reason, error }) => String(reason ?? error))
  return { ...api, open, own, reasons }
}

const reviews = () => cluster.requests.filter((line) => line.endsWith('/tokenreviews')).length

describe('a pod’s service-account token', () => {
  it('opens a task as the agent of its namespace and account, and gets a credential', async () => {
    const api = await broker()
    const { said, body } = await api.open()
    expect(said).toBe('201')
    expect(body.task).toMatchObject({ agent: 'in-cluster' })
    const task = await api.store.tasks.byId(body.task.id)
    expect(task).toMatchObject({
      workload: 'prod/system:serviceaccount:agents:ticket-summariser',
      claims: { namespace: 'agents', pod: pod.name, pod_uid: pod.uid, node: 'node-1' },
    })
    const issued = await api.issue({ id: body.task.id, token: body.token })
    expect(issued.status).toBe(201)
  })

  it('is another workload’s in another namespace, whatever its account is called', async () => {
    const api = await broker()
    const elsewhere = cluster.objects.createAccount('elsewhere', 'ticket-summariser')
    const there = cluster.objects.createPod('elsewhere', 'x')
    expect((await api.open({ account: elsewhere, pod: there })).said).toBe('403 agent_unknown')
  })

  it('P10: is refused at once when its pod, or its account, is deleted or made anew', async () => {
    const api = await broker()
    expect((await api.open()).said).toBe('201')
    cluster.objects.deletePod(pod)
    expect((await api.open()).said).toBe('401 unauthenticated')
    cluster.objects.createPod(pod.namespace, pod.name)
    expect((await api.open()).said).toBe('401 unauthenticated')
    pod = cluster.objects.createPod('agents', 'another')
    cluster.objects.deleteAccount(account)
    cluster.objects.createAccount(account.namespace, account.name)
    expect((await api.open()).said).toBe('401 unauthenticated')
  })

  it('P10: of a deleted pod lives on until it expires where nobody asks', async () => {
    const api = await broker({ token_review: false })
    cluster.objects.deletePod(pod)
    expect((await api.open()).said).toBe('201')
    expect(reviews()).toBe(0)
  })

  it('P10: that no pod holds is refused, unless the operator says otherwise', async () => {
    const unbound = { pod: undefined } as unknown as Partial<TokenRequest>
    expect((await (await broker()).open(unbound)).said).toBe('401 unauthenticated')
    expect((await (await broker({ pod_bound: false })).open(unbound)).said).toBe('201')
  })

  it('is known to policies by the short names of its claims', async () => {
    const text = `@id("node-1-is-being-drained")
      forbid (principal, action == Mayfly::Action::"openTask", resource) when {
        context.workload.issuer == "prod" && context.workload.hasTag("node") &&
        context.workload.getTag("node") == "node-1" };`
    const drained = { name: 'drained.cedar', text }
    const api = await broker({}, () => {}, [...starterPolicies(), drained])
    expect((await api.open()).said).toBe('403 policy_denied')
    const [decision] = (await api.as('auditor', 'GET /v1/decisions')).body.items
    expect(decision.policies).toEqual(['node-1-is-being-drained'])
  })

  it('identifies an operator as well', async () => {
    const api = await broker({}, (doc) =>
      doc.operators.push({ name: 'in-cluster', roles: ['auditor'], tenants: ['*'], match }),
    )
    const token = await cluster.token({ account, pod, audience: 'mayfly' })
    expect((await api.call('GET /v1/leases', { token })).status).toBe(200)
    cluster.objects.deletePod(pod)
    expect((await api.call('GET /v1/leases', { token })).status).toBe(401)
  })
})

it('P8: a kill of the cluster ends what its pods hold, and nothing is issued to them after it', async () => {
  const api = await broker()
  const { body } = await api.open()
  const other = await api.open()
  const task = { id: body.task.id, token: body.token }
  expect((await api.issue(task)).status).toBe(201)
  const order = { selector: { issuer: 'prod' }, reason: 'the cluster is compromised' }
  expect((await api.as('admin', 'POST /v1/kills', order)).status).toBe(202)
  await api.advanceKills()
  expect((await api.open()).said).toBe('403 blocked')
  expect((await api.issue({ id: other.body.task.id, token: other.body.token })).status).toBe(409)
  const [lease] = await api.store.leases.list({ tenants: null }, { limit: 10, after: undefined })
  expect(lease?.state).toMatch(/^end/)
  expect((await api.open()).said).toBe('403 blocked')
  const corp = await api.evidence()
  expect((await api.call('POST /v1/tasks', { token: corp, body: OPENING })).status).toBe(201)
})

describe('P10: a token review fails closed', () => {
  it.each([
    ['answers 500', { kind: 'fail', status: 500 }],
    ['answers 403', { kind: 'fail', status: 403 }],
    ['answers 200, which is no creation', { kind: 'fail', status: 200 }],
    ['answers nonsense', { kind: 'garbage' }],
    ['cuts the connection', { kind: 'lose' }],
  ] as const)('when the API server %s', async (_, fault) => {
    const api = await broker()
    cluster.faults.plan('tokenreviews', fault)
    expect((await api.open()).said).toBe('503 unavailable')
    expect(await api.store.tasks.list({ tenants: null }, { limit: 10, after: undefined })).toEqual(
      [],
    )
    cluster.faults.clear()
    expect((await api.open()).said).toBe('201')
  })

  it('when it never answers, within its deadline', { timeout: 10_000 }, async () => {
    const api = await broker()
    cluster.faults.plan('tokenreviews', { kind: 'hang' })
    expect((await api.open()).said).toBe('503 unavailable')
  })

  it('when it says yes without our audience, or about somebody else', async () => {
    const api = await broker()
    cluster.knowsAudiences = false
    expect((await api.open()).said).toBe('401 unauthenticated')
    cluster.knowsAudiences = true
    expect((await api.open()).said).toBe('201')
    cluster.faults.plan('tokenreviews', { kind: 'lie' })
    expect((await api.open()).said).toBe('401 unauthenticated')
  })

  it.each([
    ['another name', { username: 'system:serviceaccount:agents:other' }],
    ['another uid', { uid: 'made-anew' }],
    ['another pod', { extra: { 'authentication.kubernetes.io/pod-uid': ['made-anew'] } }],
    ['no pod', { extra: {} }],
  ])('when it sees somebody else by %s', async (_, overlay) => {
    const api = await broker()
    cluster.pretend = ({ user, ...status }) => ({ ...status, user: { ...user, ...overlay } })
    expect((await api.open()).said).toBe('401 unauthenticated')
  })

  it('when the broker may not review, or its own token died; a rotated one works', async () => {
    const api = await broker()
    cluster.reviewers.clear()
    expect((await api.open()).said).toBe('503 unavailable')
    cluster.reviewers.add('system:serviceaccount:mayfly:mayfly')
    const good = api.own['file:/run/token']
    api.own['file:/run/token'] = `${good}x`
    expect((await api.open()).said).toBe('503 unavailable')
    api.own['file:/run/token'] = good
    expect((await api.open()).said).toBe('201')
  })

  it('and strangers cannot make the broker ask', async () => {
    const api = await broker()
    const forger = await new Cluster({ now: time.wall }).start()
    onTestFinished(() => forger.close())
    const forged = await forger.token({ account, pod, audience: 'mayfly' })
    const answer = await api.call('POST /v1/tasks', { token: forged, body: OPENING })
    expect(answer.status).toBe(401)
    expect((await api.open({ audience: 'vault' })).said).toBe('401 unauthenticated')
    expect(reviews()).toBe(0)
  })

  it('P13: and a workload that calls many times at once asks once', async () => {
    const api = await broker()
    await api.open()
    cluster.faults.plan('tokenreviews', { kind: 'slow', ms: 100 })
    const before = reviews()
    const token = await cluster.token({ account, pod, audience: 'mayfly' })
    const call = () => api.call('POST /v1/tasks', { token, body: OPENING })
    const answers = await Promise.all(Array.from({ length: 20 }, call))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(reviews() - before).toBe(1)
    await call()
    expect(reviews() - before).toBe(2)
  })

  it('P2: neither token is in the log or the database', async () => {
    const api = await broker()
    const { token } = await api.open()
    cluster.faults.plan('tokenreviews', { kind: 'garbage' })
    await api.open()
    const secrets = [token, api.own['file:/run/token']].flatMap((jwt) => jwt.split('.').slice(1))
    const search = new SecretSearch({ secrets })
    search.files(api.dir)
    search.place('log', JSON.stringify(api.logged))
    expect(search.found).toEqual([])
    expect(search.searched.get('mayfly.db')).toBeGreaterThan(1_000)
  })
})

describe('a cluster’s keys', () => {
  it('come from the configured API server, wherever discovery says they are', async () => {
    const api = await broker({ token_review: false })
    expect((await api.open()).said).toBe('201')
    expect(cluster.requests).toEqual([
      'GET /.well-known/openid-configuration',
      'GET /openid/v1/jwks',
    ])
  })

  it('P10: come over TLS from whom the configured authority vouches for, and nobody else', async () => {
    const authority = Authority.named('cluster')
    await startCluster(authority.issue({ dns: ['localhost'] }))
    const api = await broker({
      api_server: { url: cluster.url, token: 'file:/run/token', ca: 'file:/run/ca' },
    })
    api.own['file:/run/ca'] = Authority.named('another').pem
    expect((await api.open()).said).toBe('503 unavailable')
    expect(cluster.requests).toEqual([])
    await api.advance(3_000)
    api.own['file:/run/ca'] = authority.pem
    expect((await api.open()).said).toBe('201')
    expect(reviews()).toBe(1)
    const unnamed = await broker({ api_server: { url: cluster.url, token: 'file:/run/token' } })
    expect((await unnamed.open()).said).toBe('503 unavailable')
  })

  it('P10: are not believed of an API server of another issuer', async () => {
    const api = await broker({ issuer: 'https://other.example', token_review: false })
    const { issuer } = cluster
    cluster.issuer = 'https://other.example'
    const token = await cluster.token({ account, pod, audience: 'mayfly' })
    cluster.issuer = issuer
    api.own['file:/run/token'] = await cluster.token({ account, audience: issuer })
    const answer = await api.call('POST /v1/tasks', { token, body: OPENING })
    expect(answer.status).toBe(503)
    expect(api.reasons().join()).toMatch(/another issuer/)
    expect(cluster.requests).not.toContain('GET /openid/v1/jwks')
  })
})

describe('P10: a service-account token whose claims do not agree', () => {
  const sub = 'system:serviceaccount:agents:robot'
  const serviceaccount = { name: 'robot', uid: 'uid-1' }
  const bound = { namespace: 'agents', serviceaccount, pod: { name: 'p', uid: 'uid-2' } }
  const cases: [string, Record<string, unknown>, RegExp][] = [
    ['no claims of a cluster', { 'kubernetes.io': undefined }, /names no namespace/],
    [
      'those of a legacy token',
      { 'kubernetes.io/serviceaccount/namespace': 'agents', 'kubernetes.io': undefined },
      /names no namespace/,
    ],
    [
      'no account',
      { 'kubernetes.io': { ...bound, serviceaccount: undefined } },
      /names no namespace/,
    ],
    [
      'an account without uid',
      { 'kubernetes.io': { ...bound, serviceaccount: { name: 'robot' } } },
      /with its uid/,
    ],
    [
      'a namespace that is a list',
      { 'kubernetes.io': { ...bound, namespace: ['agents'] } },
      /names no namespace/,
    ],
    ['another sub', { sub: 'system:serviceaccount:kube-system:robot' }, /sub is not/],
    ['a user’s sub', { sub: 'admin' }, /sub is not/],
    ['half a pod', { 'kubernetes.io': { ...bound, pod: { name: 'p' } } }, /by half/],
    [
      'a pod nobody can read',
      { 'kubernetes.io': { ...bound, pod: { name: 'p', uid: 'a\u202e' } } },
      /by half/,
    ],
    ['no pod', { 'kubernetes.io': { ...bound, pod: undefined } }, /not bound/],
    ['a claim that says what ours do', { namespace: 'kube-system' }, /ambiguous/],
  ]
  it.each(cases)('is refused with %s', async (_, overlay, reason) => {
    const issuer = await startIssuer()
    onTestFinished(() => issuer.close())
    const { identity } = identityFor(issuer, { type: 'kubernetes' })
    const good = { ...goodClaims(issuer), sub, 'kubernetes.io': bound }
    expect((await identity.verify(await issuer.sign(good))).instance).toBe('uid-2')
    const answer = await refusal(identity.verify(await issuer.sign({ ...good, ...overlay })))
    expect(answer.code).toBe('unauthenticated')
    expect(answer.reason).toMatch(reason)
  })
})
