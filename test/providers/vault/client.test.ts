import { createServer, type RequestListener, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { VaultClient } from '../../../providers/vault/client.ts'
import { UpstreamError } from '../../../src/provider.ts'
import { Secret } from '../../../src/secret.ts'

const TOKEN = 'canary-of-the-broker'

/** The very `debug` that node-vault prints through. */
const debug: { enable(names: string): void; disable(): void } = createRequire(
  createRequire(import.meta.url).resolve('node-vault'),
)('debug')

describe('calls to vault', () => {
  const open: (Server | VaultClient)[] = []
  afterEach(() => {
    vi.unstubAllEnvs()
    for (const thing of open.splice(0)) thing.close()
  })

  it('P10: does not follow a redirect, which would carry the token to another host', async () => {
    const seen: unknown[] = []
    const other = await serve((request, response) => {
      seen.push(request.headers['x-vault-token'])
      response.end('{}')
    })
    const client = await clientOf((_, response) => {
      response.writeHead(307, { location: `${other}/v1/secret/data/x` }).end()
    })
    const error = await failure(client)
    expect(error).toMatchObject({ outcome: 'unknown' })
    expect(seen).toEqual([])
  })

  it('takes neither token, namespace, prefix nor proxy from the environment', async () => {
    vi.stubEnv('VAULT_TOKEN', 'env-token')
    vi.stubEnv('VAULT_NAMESPACE', 'env-namespace')
    vi.stubEnv('VAULT_PREFIX', '/env-prefix')
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1')
    const seen: Record<string, unknown>[] = []
    const client = await clientOf((request, response) => {
      seen.push({ url: request.url, ...request.headers })
      response.end('{}')
    })
    await client.call({ method: 'read', path: 'sys/health', signal: AbortSignal.timeout(1_000) })
    expect(seen[0]).toMatchObject({ url: '/v1/sys/health' })
    expect(seen[0]).not.toHaveProperty('x-vault-token')
    expect(seen[0]).not.toHaveProperty('x-vault-namespace')
  })

  it('P2: an error holds neither the token nor what the upstream echoed of it', async () => {
    const client = await clientOf((request, response) => {
      response.writeHead(400, { 'content-type': 'application/json' })
      const echo = `no: ${request.headers['x-vault-token']} and s.other-token-1234567890`
      response.end(JSON.stringify({ errors: [echo] }))
    })
    const error = await failure(client)
    expect(error.outcome).toBe('refused')
    expect(error.message).toContain('[redacted]')
    expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/canary|other-token/)
  })

  it('P2: an error holds nothing of what a login sent', async () => {
    const client = await clientOf((_, response) => {
      const errors = ['invalid secret id canary-secret-id for role reader']
      response.writeHead(400).end(JSON.stringify({ errors }))
    })
    const data = { role_id: 'reader', secret_id: 'canary-secret-id' }
    const call = { method: 'write', path: 'auth/approle/login', data } as const
    const signal = AbortSignal.timeout(1_000)
    const error: unknown = await client.call({ ...call, signal }).catch((thrown) => thrown)
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('canary')
    expect(error).toMatchObject({ reason: 'invalid secret id [redacted] for role reader' })
  })

  it('P2: repeats nothing of what a failing backend says', async () => {
    const client = await clientOf((_, response) => {
      response.writeHead(500).end(JSON.stringify({ errors: ['password "hunter2" was wrong'] }))
    })
    const error = await failure(client)
    expect(error).toMatchObject({ outcome: 'unknown', message: 'vault answered 500 to read a/b' })
  })

  it('P2: prints nothing, also when the library’s debugging is on', async () => {
    debug.enable('node-vault')
    const printed = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const client = await clientOf((_, response) => response.end('{}'))
    await client.call(callWith())
    debug.disable()
    expect(printed).not.toHaveBeenCalled()
    printed.mockRestore()
  })

  it('gives up on an answer that does not come, by its own limit and by the caller’s', async () => {
    const hanging = await serve(() => {})
    const client = connect(hanging, 100)
    expect(await failure(client)).toMatchObject({ outcome: 'unknown' })
    const patient = connect(hanging, 10_000)
    const started = Date.now()
    expect(await failure(patient, AbortSignal.timeout(100))).toMatchObject({ outcome: 'unknown' })
    expect(Date.now() - started).toBeLessThan(2_000)
  })

  it('calls nothing when the deadline has passed already', async () => {
    let calls = 0
    const client = await clientOf((_, response) => {
      calls += 1
      response.end('{}')
    })
    expect(await failure(client, AbortSignal.abort())).toMatchObject({ outcome: 'unknown' })
    expect(calls).toBe(0)
  })

  it.each([
    ['no JSON', '<html>', 'not JSON'],
    ['endless', 'x'.repeat(5 * 1_048_576), 'too large'],
  ])('does not know the outcome of an answer that is %s', async (_, body, why) => {
    const client = await clientOf((_request, response) => response.end(body))
    const error = await failure(client)
    expect(error).toMatchObject({ outcome: 'unknown', message: expect.stringContaining(why) })
  })

  it('does not know the outcome when nobody listens', async () => {
    const address = await serve(() => {})
    for (const thing of open.splice(0)) thing.close()
    const error = await failure(connect(address, 1_000))
    expect(error).toMatchObject({ outcome: 'unknown', upstreamCode: 'ECONNREFUSED' })
  })

  it('writes a path’s segments so that they stay segments', async () => {
    const urls: (string | undefined)[] = []
    const client = await clientOf((request, response) => {
      urls.push(request.url)
      response.end('{}')
    })
    await client.call({ ...callWith(), path: 'kv/eu=1&x/a b' })
    expect(urls).toEqual(['/v1/kv/eu%3D1%26x/a%20b'])
  })

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener)
    open.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    // A server listening on TCP always has an AddressInfo.
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  function connect(address: string, timeoutMs: number): VaultClient {
    const client = new VaultClient({ address, namespace: undefined, ca: undefined, timeoutMs })
    open.push(client)
    return client
  }

  async function clientOf(listener: RequestListener): Promise<VaultClient> {
    return connect(await serve(listener), 2_000)
  }
})

function callWith(signal = AbortSignal.timeout(2_000)) {
  return { method: 'read', path: 'a/b', token: new Secret(TOKEN), signal } as const
}

async function failure(client: VaultClient, signal?: AbortSignal): Promise<UpstreamError> {
  try {
    await client.call(callWith(signal))
  } catch (error) {
    if (error instanceof UpstreamError) return error
    throw error
  }
  throw new Error('the call did not fail')
}
