import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { ApiError, UnreachableError } from '../../src/client/api-error.ts'
import { apiClient } from '../../src/client/http.ts'
import { everyItem } from '../../src/client/pages.ts'

interface Seen {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
}

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A real server that remembers what came and answers as told. */
async function answering(answer: (request: Seen, response: ServerResponse) => void) {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = '', url = '', headers } = request
      const one = { method, url, headers, body }
      seen.push(one)
      answer(one, response)
    })
  })
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo // a TCP server has one
  return { url: `http://127.0.0.1:${port}`, seen }
}

async function closedPort(): Promise<string> {
  const { url } = await answering(() => {})
  const server = servers.pop()
  await new Promise((done) => server?.close(done))
  return url
}

function json(response: ServerResponse, status: number, body: unknown) {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

const empty = { items: [], next_cursor: null }
const refusal = {
  type: 'about:blank',
  title: 'Forbidden',
  status: 403,
  code: 'policy_denied',
  detail: 'no policy permits this',
  request_id: 'req_x',
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('a call', () => {
  it('sends the token and only the filters that were given', async () => {
    const { url, seen } = await answering((_, response) => json(response, 200, empty))
    const client = apiClient({ url: `${url}/`, token: 'mfo_x' })
    await client.leases({ agent: 'a b', limit: 5 })
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/v1/leases?agent=a+b&limit=5' })
    expect(seen[0]?.headers.authorization).toBe('Bearer mfo_x')
  })

  it('keeps an id in its place, whatever it holds', async () => {
    const { url, seen } = await answering((_, response) => json(response, 200, {}))
    const client = apiClient({ url })
    for (const id of ['../kills', '..', '', 'a?b#c', 'x/end']) await client.lease(id)
    const paths = seen.map((one) => one.url)
    for (const path of paths) expect(path).toMatch(/^\/v1\/leases\/[^/?#]+$/)
    expect(new Set(paths.slice(1, 3))).toEqual(new Set(['/v1/leases/%00']))
  })

  it('sends a signed body to the byte', async () => {
    const { url, seen } = await answering((_, response) => json(response, 202, {}))
    const body = '{"subject": {"agent":"a"} }'
    await apiClient({ url }).sendSignal({ source: 's', body, headers: { 'webhook-id': 'm1' } })
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/v1/signals/s', body })
    expect(seen[0]?.headers['webhook-id']).toBe('m1')
  })

  it('carries the idempotency key', async () => {
    const { url, seen } = await answering((_, response) => json(response, 201, {}))
    await apiClient({ url }).requestCredential('task_a', { entitlement: 'e' }, 'key-1')
    expect(seen[0]?.headers['idempotency-key']).toBe('key-1')
  })
})

describe('an answer that is no success', () => {
  it('is an ApiError with the code and the words of the problem', async () => {
    const { url } = await answering((_, response) => json(response, 403, refusal))
    const error = await errorOf(apiClient({ url }).leases())
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({
      status: 403,
      code: 'policy_denied',
      message: 'no policy permits this',
      problem: refusal,
    })
  })

  it('of something that is not Mayfly says so', async () => {
    const { url } = await answering((_, response) => {
      response.writeHead(502)
      response.end('<html>bad gateway</html>')
    })
    const error = await errorOf(apiClient({ url }).leases())
    expect(error).toMatchObject({ status: 502, code: 'unknown' })
    expect(String(error)).toContain('check the address')
  })

  it('with success and garbage is not taken for an answer', async () => {
    const { url } = await answering((_, response) => response.end('<html>welcome</html>'))
    expect(await errorOf(apiClient({ url }).leases())).toBeInstanceOf(ApiError)
  })

  it('P2: that redirects does not get the token to another host', async () => {
    const elsewhere = await answering((_, response) => json(response, 200, empty))
    const { url } = await answering((_, response) => {
      response.writeHead(307, { location: elsewhere.url })
      response.end()
    })
    expect(await errorOf(apiClient({ url, token: 'mfo_x' }).leases())).toBeInstanceOf(ApiError)
    expect(elsewhere.seen).toEqual([])
  })
})

describe('no answer', () => {
  it('names the address and what to look at', async () => {
    const url = await closedPort()
    const error = await errorOf(apiClient({ url }).leases())
    expect(error).toBeInstanceOf(UnreachableError)
    expect(String(error)).toContain(`${url} (ECONNREFUSED)`)
    expect(String(error)).toContain('MAYFLY_URL')
  })

  it('within the time is given up', async () => {
    const { url } = await answering(() => {})
    const error = await errorOf(apiClient({ url, timeoutMs: 60 }).leases())
    expect(error).toBeInstanceOf(UnreachableError)
    expect(String(error)).toContain('no answer within')
  })

  it('P2: holds no token in its message', async () => {
    const error = await errorOf(apiClient({ url: await closedPort(), token: 'mfo_x' }).leases())
    expect(JSON.stringify(error) + String(error)).not.toContain('mfo_x')
  })

  it('that breaks off in the middle is not half an answer', async () => {
    const { url } = await answering((_, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"items": [')
      setTimeout(() => response.destroy(), 20)
    })
    expect(await errorOf(apiClient({ url }).leases())).toBeInstanceOf(UnreachableError)
  })
})

describe('a list in pages', () => {
  it('is read to its end', async () => {
    const pages = new Map([
      [undefined, { items: [1, 2], next_cursor: 'a' }],
      ['a', { items: [], next_cursor: 'b' }],
      ['b', { items: [3], next_cursor: null }],
    ])
    const items: number[] = []
    const page = async (cursor: string | undefined) =>
      pages.get(cursor) ?? { items: [], next_cursor: null }
    for await (const item of everyItem(page)) items.push(item)
    expect(items).toEqual([1, 2, 3])
  })

  it('is given up when the server repeats itself', async () => {
    const endless = everyItem(async () => ({ items: [1], next_cursor: 'same' }))
    const read = async () => {
      for await (const item of endless) expect(item).toBe(1)
    }
    await expect(read()).rejects.toThrow('same cursor twice')
  })
})
