import * as dpop from 'dpop'
import { describe, expect, it } from 'vitest'
import type { Doc } from '../fixture/broker.ts'
import { type Api, OPENING, type Opened, TICKET, testApi } from '../fixture/http.ts'
import { KeyHolder, PUBLIC_URL } from '../fixture/key-holder.ts'

type Claims = Record<string, unknown>

/** Every call a task can make, on itself. */
function callsOf(task: Opened, lease: string): [string, unknown?][] {
  return [
    [`GET /v1/tasks/${task.id}`],
    [`GET /v1/tasks/${task.id}/entitlements`],
    [`POST /v1/tasks/${task.id}/heartbeat`, {}],
    [`POST /v1/tasks/${task.id}/credentials`, { entitlement: 'tickets-read' }],
    [`GET /v1/leases/${lease}`],
    [`POST /v1/leases/${lease}/renew`, {}],
    [`POST /v1/leases/${lease}/end`, {}],
    [`POST /v1/tasks/${task.id}/end`, {}],
  ]
}

async function boundTask(api: Api) {
  const holder = await KeyHolder.of(api)
  const task = await holder.open()
  const body = { entitlement: 'tickets-read' }
  const issued = await holder.call(`POST /v1/tasks/${task.id}/credentials`, task.token, { body })
  expect(issued.status).toBe(201)
  return { holder, task, lease: issued.body.lease.id as string }
}

const signals = async (api: Api) => (await api.as('admin', 'GET /v1/signals')).body.items

describe('a task bound to a key', () => {
  it.each(['ES256', 'ES384', 'EdDSA', 'Ed25519', 'RS256', 'PS256'])(
    'P10: does everything with its %s key, and is known to be bound',
    async (alg) => {
      const api = await testApi()
      const holder = await KeyHolder.of(api, alg)
      const task = await holder.open()
      expect(await api.store.tasks.byId(task.id as never)).toMatchObject({
        proof: 'bound',
        key: `jkt:${holder.thumbprint}`,
      })
      const body = { entitlement: 'tickets-read' }
      const credentials = `POST /v1/tasks/${task.id}/credentials`
      const issued = await holder.call(credentials, task.token, { body })
      expect(issued.status).toBe(201)
      for (const [line, body] of callsOf(task, issued.body.lease.id)) {
        const done = await holder.call(line, task.token, body === undefined ? {} : { body })
        expect([line, done.status]).toEqual([line, line.endsWith('/credentials') ? 201 : 200])
      }
    },
  )

  it('P10: its token alone is answered like one that does not exist, at every call', async () => {
    const api = await testApi()
    const { task, lease } = await boundTask(api)
    for (const [line, body] of callsOf(task, lease)) {
      const ask = async (token: string) => {
        const { status, text, headers } = await api.call(line, {
          token,
          ...(body === undefined ? {} : { body }),
        })
        const named = [...headers].filter(([name]) => name !== 'x-request-id')
        return [line, status, text.replace(/req_[a-z2-7]{20}/, ''), named]
      }
      const stolen = await ask(task.token)
      expect(stolen[1]).toBe(401)
      expect(stolen).toEqual(await ask(`mft_${'a'.repeat(43)}`))
    }
    const { body } = await api.as('admin', `GET /v1/leases/${lease}`)
    expect(body).toMatchObject({ state: 'active', generation: 1 })
    expect(api.upstream.minted).toHaveLength(1)
    expect(await signals(api)).toEqual([])
  })

  it('P10: another key is refused and leaves one signal, however often and with how many', async () => {
    const api = await testApi()
    const { holder, task, lease } = await boundTask(api)
    for (let n = 0; n < 3; n += 1) {
      const thief = await KeyHolder.of(api)
      for (const [line, body] of callsOf(task, lease)) {
        const tried = await thief.call(line, task.token, body === undefined ? {} : { body })
        expect([line, tried.status]).toEqual([line, 401])
      }
    }
    expect(await signals(api)).toMatchObject([
      {
        source: 'mayfly',
        subject: { task: task.id, tenant: 'support' },
        level: 'MEDIUM',
        action: 'risk',
      },
    ])
    expect((await api.as('support', 'GET /v1/signals')).body.items).toHaveLength(1)
    expect((await api.as('billing', 'GET /v1/signals')).body.items).toEqual([])
    // What was noticed counts: at MEDIUM the starter set wants a person to agree first.
    const body = { entitlement: 'tickets-read' }
    const more = await holder.call(`POST /v1/tasks/${task.id}/credentials`, task.token, { body })
    expect(more.status).not.toBe(201)
    expect(api.upstream.minted).toHaveLength(1)
    expect((await holder.call(`POST /v1/tasks/${task.id}/heartbeat`, task.token)).status).toBe(200)
  })

  it('P10: a proof is good for one request, also after a restart', async () => {
    const api = await testApi()
    const { holder, task } = await boundTask(api)
    const line = `GET /v1/tasks/${task.id}`
    const proof = await holder.proof(line, task.token)
    expect((await holder.send(line, task.token, proof)).status).toBe(200)
    expect((await holder.send(line, task.token, proof)).status).toBe(401)
    const at = api.clock.now()
    await api.store.close()
    const again = await testApi({ dir: api.dir, issuer: api.issuer })
    expect(again.clock.now()).toBe(at)
    const after = holder.at(again)
    const replayed = await after.send(line, task.token, proof)
    expect(replayed.status).toBe(401)
    expect(replayed.headers.get('www-authenticate')).toContain('error="invalid_dpop_proof"')
    expect((await after.call(line, task.token)).status).toBe(200)
  })

  it('P10: two requests at once with one proof are one', async () => {
    const api = await testApi()
    const { holder, task } = await boundTask(api)
    const line = `POST /v1/tasks/${task.id}/heartbeat`
    const proof = await holder.proof(line, task.token)
    const both = await Promise.all([1, 2].map(() => holder.send(line, task.token, proof)))
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 401])
  })

  it('a proof is forgotten once it is too old to be accepted', async () => {
    const api = await testApi()
    const { holder, task } = await boundTask(api)
    const line = `GET /v1/tasks/${task.id}`
    for (let n = 0; n < 5; n += 1) await holder.call(line, task.token)
    await api.advance(241_000)
    await holder.call(line, task.token)
    expect(await usedCount(api)).toBe(1)
  })

  it('P12: nobody fills the disk with proofs, and who shows none writes none', async () => {
    const api = await testApi()
    const { holder, task } = await boundTask(api)
    const other = await api.open({}, { sub: 'tweety' })
    for (let n = 0; n < 5; n += 1)
      await api.call(`GET /v1/tasks/${other.id}`, { token: other.token })
    const line = `GET /v1/tasks/${task.id}`
    // Two were shown before: to open it and to ask for its credential.
    for (let n = 0; n < 599; n += 1) api.broker.pace.take(`proofs of task ${task.id}`, 600)
    const refused = await holder.call(line, task.token)
    expect(refused).toMatchObject({ status: 429, body: { code: 'limit_reached' } })
    await api.advance(60_000)
    expect((await holder.call(line, task.token)).status).toBe(200)
    expect(await usedCount(api)).toBe(3)
  })

  it('P11: with its key it sees nothing of others, in the words of an unknown id', async () => {
    const api = await testApi()
    const { holder, task } = await boundTask(api)
    const other = await api.open({}, { sub: 'tweety' })
    const foreign = await holder.call(`GET /v1/tasks/${other.id}`, task.token)
    const unknown = await holder.call(`GET /v1/tasks/task_${'a'.repeat(20)}`, task.token)
    expect(foreign.status).toBe(404)
    expect(foreign.body.detail).toBe(unknown.body.detail)
  })

  it('an unbound task goes on as before, by Bearer only', async () => {
    const api = await testApi()
    const task = await api.open()
    const line = `GET /v1/tasks/${task.id}`
    expect((await api.call(line, { token: task.token })).status).toBe(200)
    const holder = await KeyHolder.of(api)
    expect(await holder.tried(line, task.token)).toBe('401')
    const headers = { dpop: await holder.proof(line, task.token) }
    expect(await api.refusal(line, { token: task.token, headers })).toBe('401 unauthenticated')
  })

  it('P10: a dead task is a dead token to its key, and no token to anyone else', async () => {
    const api = await testApi()
    const { holder, task } = await boundTask(api)
    await holder.call(`POST /v1/tasks/${task.id}/end`, task.token, { body: {} })
    const line = `GET /v1/tasks/${task.id}`
    expect((await holder.call(line, task.token)).body.code).toBe('task_ended')
    expect(await api.refusal(line, { token: task.token })).toBe('401 unauthenticated')
  })
})

it('P10: a client nobody here wrote opens a bound task and asks for a credential', async () => {
  const time = {
    wall: () => Date.now(),
    monotonic: () => performance.now(),
    after: (ms: number, run: () => void) => {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
  }
  const api = await testApi({ time })
  const keys = await dpop.generateKeyPair('ES256')
  let nonce: string | undefined
  const call = async (path: string, token: string, body: object) => {
    for (let turn = 0; ; turn += 1) {
      const proof = await dpop.generateProof(keys, `${PUBLIC_URL}${path}`, 'POST', nonce, token)
      const headers = { authorization: `DPoP ${token}`, dpop: proof }
      const answer = await api.call(`POST ${path}`, { body, headers })
      nonce = answer.headers.get('dpop-nonce') ?? nonce
      if (answer.status !== 401 || turn === 1) return answer
      expect(answer.headers.get('www-authenticate')).toContain('error="use_dpop_nonce"')
    }
  }
  const opened = await call('/v1/tasks', await api.evidence(), OPENING)
  expect(opened.body.task).toMatchObject({
    proof: 'bound',
    key: `jkt:${await dpop.calculateThumbprint(keys.publicKey)}`,
  })
  const { task, token } = opened.body
  const body = { entitlement: 'tickets-read' }
  const issued = await call(`/v1/tasks/${task.id}/credentials`, token, body)
  expect(issued.status).toBe(201)
})

describe('opening with a key', () => {
  it('P10: an agent that must be bound is refused without a key', async () => {
    const api = await testApi({
      change: (doc) => {
        doc.agents[0].proof = 'bound'
      },
    })
    const token = await api.evidence()
    const body = { purpose: 'x', intent: [TICKET] }
    expect(await api.refusal('POST /v1/tasks', { token, body })).toBe('403 proof_too_weak')
    await (await KeyHolder.of(api)).open()
  })

  it('P10: evidence that names its key is worth nothing without it, and is proof "key" with it', async () => {
    const api = await testApi()
    const [holder, thief] = [await KeyHolder.of(api), await KeyHolder.of(api)]
    const cnf = { jkt: holder.thumbprint }
    const token = await api.evidence({ sub: 'careful', cnf })
    const body = { purpose: 'x', intent: [TICKET] }
    expect(await api.refusal('POST /v1/tasks', { token, body })).toBe('401 unauthenticated')
    expect((await thief.call('POST /v1/tasks', token, { body })).status).toBe(401)
    const task = await holder.open({}, { sub: 'careful', cnf })
    expect(await api.store.tasks.byId(task.id as never)).toMatchObject({ proof: 'key' })
    // The issuer did not vouch for this one's key.
    expect(
      (await thief.call('POST /v1/tasks', await api.evidence({ sub: 'careful' }), { body })).body,
    ).toMatchObject({ code: 'proof_too_weak' })
  })

  it.each([
    ['a key written out', { jwk: { kty: 'EC' } }],
    ['a key id', { kid: '1' }],
    ['two keys', { jkt: 'a'.repeat(43), 'x5t#S256': 'a'.repeat(43) }],
    ['no key', {}],
    ['text', 'jkt'],
    ['null', null],
    ['a short thumbprint', { jkt: 'abc' }],
  ])('P3: refuses evidence bound by %s, which cannot be checked', async (_, cnf) => {
    const api = await testApi()
    const holder = await KeyHolder.of(api)
    await holder.learnNonce()
    const token = await api.evidence({ cnf })
    expect((await holder.call('POST /v1/tasks', token, { body: {} })).status).not.toBe(201)
    const body = { purpose: 'x', intent: [TICKET] }
    expect(await api.refusal('POST /v1/tasks', { token, body })).toBe('401 unauthenticated')
  })

  it.each<[string, Claims, Claims]>([
    ['one token by its id', { jti: 'one' }, { jti: 'two' }],
    ['one token without an id', { nonce: 'one' }, { nonce: 'two' }],
    ['one pod, whatever its token', podToken('p1', { jti: 'one' }), podToken('p2')],
  ])('P10: the first key is pinned to %s', async (_, claims, others) => {
    const api = await testApi(claims.sub === POD_SUB ? { change: inCluster } : {})
    const [holder, thief] = [await KeyHolder.of(api), await KeyHolder.of(api)]
    await holder.open({}, claims)
    const token = await api.evidence(claims)
    const body = { purpose: 'x', intent: [TICKET] }
    for (let n = 0; n < 3; n += 1) {
      expect((await thief.call('POST /v1/tasks', token, { body })).status).toBe(401)
    }
    expect(await signals(api)).toMatchObject([
      {
        source: 'mayfly',
        subject: { workload: `corp/${claims.sub ?? 'robot'}`, tenant: 'support' },
        level: 'MEDIUM',
      },
    ])
    expect(await api.refusal('POST /v1/tasks', { token, body })).toBe('401 unauthenticated')
    expect((await holder.call('POST /v1/tasks', token, { body })).status).toBe(201)
    await thief.open({}, others)
  })

  it('a pin lasts as long as the evidence and is prolonged by later evidence', async () => {
    const api = await testApi({ change: inCluster })
    const [holder, next] = [await KeyHolder.of(api), await KeyHolder.of(api)]
    const pod = podToken('p1')
    const body = { purpose: 'x', intent: [TICKET] }
    await holder.open({}, pod)
    await api.advance(500_000)
    await holder.open({}, pod)
    await api.advance(500_000)
    expect((await next.call('POST /v1/tasks', await api.evidence(pod), { body })).status).toBe(401)
    await api.advance(200_000)
    await next.open({}, pod)
  })

  it('P10: of two keys shown at once one is pinned', async () => {
    const api = await testApi()
    const holders = [await KeyHolder.of(api), await KeyHolder.of(api)]
    const token = await api.evidence({ jti: 'one' })
    const body = { purpose: 'x', intent: [TICKET] }
    const opened = await Promise.all(
      holders.map((holder) => holder.call('POST /v1/tasks', token, { body })),
    )
    expect(opened.map(({ status }) => status).toSorted()).toEqual([201, 401])
  })

  it('P12: a refused opening pins nothing and spends nothing', async () => {
    const api = await testApi()
    const [holder, other] = [await KeyHolder.of(api), await KeyHolder.of(api)]
    const token = await api.evidence({ jti: 'once' })
    const wide = { purpose: 'x', intent: [{ ...TICKET, locations: ['/**'] }] }
    expect((await other.call('POST /v1/tasks', token, { body: wide })).status).not.toBe(201)
    const body = { purpose: 'x', intent: [TICKET] }
    expect((await holder.call('POST /v1/tasks', token, { body })).status).toBe(201)
  })

  it('an opening replayed with its proof is refused', async () => {
    const api = await testApi()
    const holder = await KeyHolder.of(api)
    await holder.learnNonce()
    const token = await api.evidence()
    const proof = await holder.proof('POST /v1/tasks', token)
    const body = { purpose: 'x', intent: [TICKET] }
    const statuses = []
    for (let n = 0; n < 2; n += 1) {
      statuses.push((await holder.send('POST /v1/tasks', token, proof, { body })).status)
    }
    expect(statuses).toEqual([201, 401])
  })
})

it('P10: an operator whose evidence names a key needs it, with a proof not seen before', async () => {
  const api = await testApi({
    change: (doc) => {
      const match = { issuer: 'corp', claims: { sub: 'on-call' } }
      doc.operators.push({ name: 'duty', roles: ['responder'], tenants: ['*'], match })
    },
  })
  const [holder, thief] = [await KeyHolder.of(api), await KeyHolder.of(api)]
  const token = await api.evidence({ sub: 'on-call', cnf: { jkt: holder.thumbprint } })
  const line = 'GET /v1/tasks'
  expect((await holder.call(line, token)).status).toBe(200)
  expect((await thief.call(line, token)).status).toBe(401)
  expect(await api.refusal(line, { token })).toBe('401 unauthenticated')
  const proof = await holder.proof(line, token)
  expect((await holder.send(line, token, proof)).status).toBe(200)
  expect((await holder.send(line, token, proof)).status).toBe(401)
  expect(await holder.tried(line, api.operators.admin)).toBe('401')
})

const POD_SUB = 'system:serviceaccount:agents:summariser'

/** Makes the house's issuer a cluster, whose tokens name the pod that holds them. */
function inCluster(doc: Doc): void {
  const { name, issuer, audience, jwks_uri, algorithms } = doc.issuers[0]
  doc.issuers = [{ type: 'kubernetes', name, issuer, audience, jwks_uri, algorithms }]
  const [summariser, biller] = doc.agents
  doc.agents = [{ ...summariser, match: { issuer: 'corp', claims: { sub: POD_SUB } } }, biller]
}

function podToken(uid: string, more: Claims = {}): Claims {
  const serviceaccount = { name: 'summariser', uid: 'sa-1' }
  const pod = { name: 'summariser-0', uid }
  return { sub: POD_SUB, 'kubernetes.io': { namespace: 'agents', serviceaccount, pod }, ...more }
}

async function usedCount(api: Api): Promise<number> {
  await api.store.close()
  const { default: Sqlite } = await import('better-sqlite3')
  const sqlite = new Sqlite(api.databasePath)
  const count = sqlite.prepare('select count(*) from evidence_used').pluck().get()
  sqlite.close()
  return Number(count)
}
