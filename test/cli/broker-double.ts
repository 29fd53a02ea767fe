import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface Seen {
  method: string
  url: string
  headers: Record<string, string | string[] | undefined>
  body: string
}

export interface BrokerDouble {
  readonly url: string
  readonly seen: Seen[]
  close(): void
}

/** A server that answers like the API: by `METHOD /path` without query, else 404 as a problem. */
export async function brokerDouble(
  answers: Record<string, unknown | ((request: Seen) => { status?: number; body: unknown })>,
): Promise<BrokerDouble> {
  const seen: Seen[] = []
  const server: Server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = '', url = '', headers } = request
      const one = { method, url, headers, body }
      seen.push(one)
      const answer = answers[`${method} ${url.split('?')[0]}`]
      const { status = 200, body: content } =
        answer === undefined
          ? { status: 404, body: problem(404, 'not_found', 'there is no such thing') }
          : typeof answer === 'function'
            ? answer(one)
            : { body: answer }
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(content))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo // a TCP server has one
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

export function problem(status: number, code: string, detail: string) {
  return { type: 'about:blank', title: code, status, code, detail, request_id: 'req_test' }
}
