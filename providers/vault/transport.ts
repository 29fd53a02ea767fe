/**
 * The HTTP transport under node-vault: one request, no redirects (a token must not follow one to
 * another host), no proxy variables, a bounded answer, and an end when the signal says so.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { mayBeAProxys } from '../../src/clock.ts'
import { retryAfterOf } from '../../src/provider.ts'

/** What node-vault hands to its transport. */
export interface TransportRequest {
  readonly method: string
  readonly uri: string
  readonly headers: Readonly<Record<string, string>>
  readonly json?: unknown
  /** Ours: travels through node-vault's per-call options. */
  readonly signal: AbortSignal
  /** Ours: told the upstream's clock. */
  readonly onDate: (at: number) => void
  /** Ours: told for how long the upstream asks to be left alone. */
  readonly onRetryAfter: (ms: number) => void
}

/** What node-vault expects back. */
export interface TransportAnswer {
  readonly statusCode: number
  readonly body: unknown
  readonly request: { readonly path: string }
}

/** Vault's own limit on a request is 32 MiB; no answer Mayfly asks for comes near this. */
const MAX_ANSWER_BYTES = 4 * 1_048_576

export class GarbledAnswer extends Error {}

export class Transport {
  readonly #http = new HttpAgent({ keepAlive: true })
  readonly #https: HttpsAgent

  constructor(ca: string | undefined) {
    this.#https = new HttpsAgent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) })
  }

  /** In the shape of the old `request-promise`, which node-vault can be given. */
  readonly requester = { defaults: () => (call: TransportRequest) => this.#send(call) }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  async #send(call: TransportRequest): Promise<TransportAnswer> {
    const url = new URL(call.uri)
    const answer = await this.#exchange(url, call)
    const date = Date.parse(answer.headers.date ?? '')
    const status = answer.statusCode ?? 0
    if (!Number.isNaN(date) && !mayBeAProxys(status)) call.onDate(date)
    const retryAfterMs = retryAfterOf({ status, header: answer.headers['retry-after'] }, date)
    if (retryAfterMs !== undefined) call.onRetryAfter(retryAfterMs)
    const body = await readBody(answer)
    return {
      statusCode: status,
      body: body === '' ? undefined : parse(body),
      request: { path: url.pathname },
    }
  }

  #exchange(url: URL, call: TransportRequest): Promise<IncomingMessage> {
    const secure = url.protocol === 'https:'
    const body = call.json === undefined ? undefined : JSON.stringify(call.json)
    return new Promise((resolve, reject) => {
      const options = {
        method: call.method,
        agent: secure ? this.#https : this.#http,
        signal: call.signal,
        headers: {
          ...call.headers,
          accept: 'application/json',
          'x-vault-request': 'true',
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        },
      }
      const request = (secure ? httpsRequest : httpRequest)(url, options, resolve)
      request.on('error', reject)
      request.end(body)
    })
  }
}

async function readBody(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer) {
    // Without an encoding set, chunks of an IncomingMessage are Buffers.
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > MAX_ANSWER_BYTES) throw new GarbledAnswer('the answer is too large')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new GarbledAnswer('the answer is not JSON')
  }
}
