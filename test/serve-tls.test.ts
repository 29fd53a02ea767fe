import * as dpop from 'dpop'
import { describe, expect, it } from 'vitest'
import { Authority, SERVER_AUTH, USAGE } from './fixture/certificates.ts'
import { OPENING } from './fixture/http.ts'
import { TLS_PUBLIC_URL, type TlsClient, tlsBroker } from './fixture/tls-broker.ts'

type TlsBroker = Awaited<ReturnType<typeof tlsBroker>>

async function started(): Promise<TlsBroker> {
  const broker = await tlsBroker()
  await broker.start()
  return broker
}

async function open(broker: TlsBroker, client: TlsClient, claims: object = {}) {
  const token = await broker.evidence(claims)
  return await client.call('POST /v1/tasks', { token, body: OPENING })
}

describe('the API over TLS', () => {
  it('serves who shows no certificate as ever', async () => {
    const broker = await started()
    const client = broker.client()
    expect((await client.call('GET /livez')).status).toBe(200)
    const opened = await open(broker, client)
    expect(opened.body.task).toMatchObject({ proof: 'bearer' })
    const { task, token } = opened.body
    expect((await client.call(`GET /v1/tasks/${task.id}`, { token })).status).toBe(200)
    const other = broker.client(broker.clients.issue({}))
    expect((await other.call(`GET /v1/tasks/${task.id}`, { token })).status).toBe(200)
  })

  it('P10: a task opened over a client certificate needs it at every call', async () => {
    const broker = await started()
    const [own, foreign] = [broker.clients.issue({}), broker.clients.issue({})]
    const client = broker.client(own)
    const opened = await open(broker, client)
    expect(opened.status).toBe(201)
    const { task, token } = opened.body
    expect(task).toMatchObject({ proof: 'bound', key: `x5t#S256:${own.thumbprint}` })
    const credentials = `POST /v1/tasks/${task.id}/credentials`
    const body = { entitlement: 'tickets-read' }
    expect((await client.call(credentials, { token, body })).status).toBe(201)
    expect((await broker.client(own).call(credentials, { token, body })).status).toBe(201)
    for (const thief of [broker.client(), broker.client(foreign)]) {
      const refused = await thief.call(credentials, { token, body })
      expect(refused).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    }
    const listed = await broker.client().call('GET /v1/signals', { token: broker.operator })
    expect(listed.body.items).toMatchObject([
      { source: 'mayfly', subject: { task: task.id, tenant: 'support' } },
    ])
  })

  it('P10: evidence that names a certificate is worth nothing without it', async () => {
    const broker = await started()
    const own = broker.clients.issue({})
    const cnf = { 'x5t#S256': own.thumbprint }
    const opened = await open(broker, broker.client(own), { sub: 'careful', cnf })
    expect(opened.body.task).toMatchObject({ proof: 'key', key: `x5t#S256:${own.thumbprint}` })
    for (const thief of [broker.client(), broker.client(broker.clients.issue({}))]) {
      expect((await open(broker, thief, { sub: 'careful', cnf })).status).toBe(401)
    }
  })

  it.each([
    ['of another authority', () => Authority.named('clients').issue({})],
    ['that has expired', (of: Authority) => of.issue({ to: new Date(Date.now() - 1_000) })],
    ['not valid yet', (of: Authority) => of.issue({ from: new Date(Date.now() + 60_000) })],
    ['for servers', (of: Authority) => of.issue({ purposes: [SERVER_AUTH] })],
    ['that may not sign', (of: Authority) => of.issue({ usages: USAGE.keyCertSign })],
  ])('P3: a certificate %s is refused, not overlooked', async (_, issue) => {
    const broker = await started()
    const client = broker.client(issue(broker.clients))
    expect((await open(broker, client)).status).toBe(401)
    // Whoever is known by a token alone has nothing to do with it.
    expect((await client.call('GET /v1/tasks', { token: broker.operator })).status).toBe(200)
  })

  it('P10: a session is not resumed without its certificate being shown again', async () => {
    const broker = await started()
    const client = broker.client(broker.clients.issue({}))
    const sockets: unknown[] = []
    client.agent.on('free', (socket) => sockets.push(socket.isSessionReused()))
    for (let n = 0; n < 3; n += 1) {
      await client.call('GET /livez')
      client.agent.destroy()
    }
    expect(sockets).toEqual([false, false, false])
  })

  it('P10: a proof is for the public address, whatever host the request names', async () => {
    const broker = await started()
    const client = broker.client()
    const keys = await dpop.generateKeyPair('Ed25519')
    const token = await broker.evidence()
    let nonce: string | undefined
    const tried = async (base: string, host: string) => {
      const proof = await dpop.generateProof(keys, `${base}/v1/tasks`, 'POST', nonce, token)
      const headers = { authorization: `DPoP ${token}`, dpop: proof, host }
      const answer = await client.call('POST /v1/tasks', { body: OPENING, headers })
      nonce = String(answer.headers['dpop-nonce'])
      return answer.status
    }
    expect(await tried(TLS_PUBLIC_URL, 'broker.example')).toBe(401)
    expect(await tried('https://elsewhere.example', 'elsewhere.example')).toBe(401)
    expect(await tried(TLS_PUBLIC_URL, 'elsewhere.example')).toBe(201)
  })

  it('takes new authorities over with a reload, for connections to come', async () => {
    const broker = await started()
    const next = Authority.named('next')
    const certified = next.issue({})
    expect((await open(broker, broker.client(certified))).status).toBe(401)
    broker.write('clients.pem', next.pem)
    await broker.reload()
    expect((await open(broker, broker.client(certified))).status).toBe(201)
    expect((await open(broker, broker.client(broker.clients.issue({})))).status).toBe(401)
  })

  it.each([
    ['cert.pem', 'nonsense', 'server.tls'],
    ['key.pem', Authority.named('x').issue({}).key, 'server.tls'],
    ['clients.pem', 'nonsense', 'server.tls.client_ca'],
    ['clients.pem', Authority.named('x').issue({}).cert, 'server.tls.client_ca'],
  ])('P16: refuses a %s that cannot be used, with its path', async (name, text, path) => {
    const broker = await tlsBroker()
    broker.write(name, text)
    await expect(broker.start()).rejects.toMatchObject({
      code: 'config_invalid',
      problems: [{ path }],
    })
  })
})
