/**
 * Calls to one Vault through node-vault, with its traps avoided: only `read`, `list`, `write` and
 * `delete` are used (its token commands replace the client's own token), nothing comes from the
 * environment, and every error is rewritten so that no token can be in it.
 */
import nodeVault from 'node-vault'
import { UpstreamError } from '../../src/provider.ts'
import type { Secret } from '../../src/secret.ts'
import { GarbledAnswer, Transport } from './transport.ts'

export interface VaultCall {
  readonly method: 'read' | 'list' | 'write' | 'delete'
  readonly path: string
  readonly data?: Readonly<Record<string, unknown>>
  /** Absent for logins. */
  readonly token?: Secret
  readonly signal: AbortSignal
}

export interface VaultReply {
  readonly body: Readonly<Record<string, unknown>>
  /** Vault's own clock, from its `Date` header. */
  readonly at: number | undefined
}

/** Vault answered, and said no. */
export class VaultRefusedError extends UpstreamError {
  readonly status: number
  /** The first of Vault's `errors`, cleaned; only good for comparing and for operators. */
  readonly reason: string

  constructor(
    status: number,
    call: VaultCall,
    said: { readonly reason: string; readonly retryAfterMs: number | undefined },
  ) {
    const { reason, retryAfterMs } = said
    const text = reason === '' ? '' : `: ${reason}`
    super(
      PROVES_NO_EFFECT.has(status) ? 'refused' : 'unknown',
      `vault answered ${status} to ${call.method} ${call.path}${text}`,
      String(status),
      retryAfterMs,
    )
    this.name = 'VaultRefusedError'
    this.status = status
    this.reason = reason
  }
}

/** Vault decided these before it did anything. */
const PROVES_NO_EFFECT = new Set([400, 403, 404, 405, 413, 429])

export class VaultClient {
  readonly #transport: Transport
  readonly #vault: ReturnType<typeof nodeVault>
  readonly #timeoutMs: number
  readonly #onDate: ((at: number) => void) | undefined

  constructor(options: {
    address: string
    namespace: string | undefined
    ca: string | undefined
    timeoutMs: number
    /** Told Vault's clock by every answer. */
    onDate?: (at: number) => void
  }) {
    this.#onDate = options.onDate
    this.#transport = new Transport(options.ca)
    this.#timeoutMs = options.timeoutMs
    this.#vault = nodeVault(fixedOptions(options, this.#transport))
    // node-vault falls back to VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX where these are unset.
    Object.assign(this.#vault, {
      token: undefined,
      namespace: options.namespace,
      pathPrefix: '',
    })
  }

  async call(call: VaultCall): Promise<VaultReply> {
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(this.#timeoutMs)])
    let at: number | undefined
    let retryAfterMs: number | undefined
    const options = {
      signal,
      onDate: (date: number) => {
        at = date
        this.#onDate?.(date)
      },
      onRetryAfter: (ms: number) => {
        retryAfterMs = ms
      },
      headers: call.token === undefined ? {} : { 'X-Vault-Token': call.token.reveal() },
    }
    try {
      signal.throwIfAborted()
      const body: unknown = await this.#send(call, options)
      return { body: asBody(body), at }
    } catch (error) {
      throw rewritten(call, error, retryAfterMs)
    }
  }

  close(): void {
    this.#transport.close()
  }

  #send({ method, path, data }: VaultCall, options: Record<string, unknown>): Promise<unknown> {
    const encoded = path.split('/').map(encodeURIComponent).join('/')
    switch (method) {
      case 'read':
        return this.#vault.read(encoded, options)
      case 'list':
        return this.#vault.list(encoded, options)
      case 'write':
        return this.#vault.write(encoded, data ?? {}, options)
      case 'delete':
        return this.#vault.delete(encoded, options)
    }
  }
}

/** `debug` is replaced because node-vault would print bodies under `DEBUG=node-vault`. */
function fixedOptions(options: { address: string }, transport: Transport) {
  return {
    apiVersion: 'v1',
    endpoint: options.address,
    // Node's HTTP parser knows no LIST; Vault accepts GET with ?list=1.
    noCustomHTTPVerbs: true,
    debug: () => {},
    'request-promise': transport.requester,
  }
}

/** Never the client's own error: it would carry headers and bodies. */
function rewritten(
  call: VaultCall,
  error: unknown,
  retryAfterMs: number | undefined,
): UpstreamError {
  const what = `${call.method} ${call.path}`
  if (error instanceof GarbledAnswer) {
    return new UpstreamError('unknown', `vault answered ${what} unreadably: ${error.message}`)
  }
  const response = responseOf(error)
  if (response) {
    const said = { reason: reasonOf(response, call), retryAfterMs }
    return new VaultRefusedError(response.statusCode, call, said)
  }
  if (call.signal.aborted) {
    return new UpstreamError('unknown', `vault did not answer ${what} before the deadline`)
  }
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) {
    return new UpstreamError('unknown', `vault did not answer ${what} in time`, 'timeout')
  }
  const code = codeOf(error)
  return new UpstreamError('unknown', `vault could not be asked to ${what}: ${code}`, code)
}

interface ErrorResponse {
  readonly statusCode: number
  readonly body: unknown
}

/** node-vault's ApiResponseError, by its shape: the class is not exported. */
function responseOf(error: unknown): ErrorResponse | undefined {
  if (!(error instanceof Error) || !('response' in error)) return undefined
  const { response } = error
  if (typeof response !== 'object' || response === null) return undefined
  if (!('statusCode' in response) || typeof response.statusCode !== 'number') return undefined
  return { statusCode: response.statusCode, body: 'body' in response ? response.body : undefined }
}

/** Vault's words for a refusal; those of a failure may quote what a backend said, so not them. */
function reasonOf({ statusCode, body }: ErrorResponse, call: VaultCall): string {
  if (statusCode >= 500) return ''
  const errors = asBody(body).errors
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  if (typeof first !== 'string') return ''
  return (
    withoutSent(first, call)
      .replace(/\b(?:hv[sbr]|[sbr])\.[\w.-]{8,}/g, '[redacted]')
      .replace(/^1 error occurred:\s*\*?/, '')
      .replace(/[^\x20-\x7e]+/g, ' ')
      // What follows is a backend's own text, such as a database's, which may quote anything.
      .replace(/ err: .*$/, '')
      .trim()
      .slice(0, 200)
  )
}

/** Its token, and what a login sent in its body: a secret id, a JWT. */
function withoutSent(text: string, { token, data }: VaultCall): string {
  const sent = [token?.reveal(), ...Object.values(data ?? {})].filter(
    (value) => typeof value === 'string' && value.length >= SHORTEST_SECRET,
  )
  return sent.reduce<string>((clean, value) => clean.replaceAll(String(value), '[redacted]'), text)
}

/** Shorter values are settings such as `30s`. */
const SHORTEST_SECRET = 8

function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) {
    if (typeof error.code === 'string' && /^[A-Z_0-9]{1,40}$/.test(error.code)) return error.code
  }
  return 'connection failed'
}

/** A JSON object's fields; anything else has none. */
function asBody(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  // A non-null, non-array object parsed from JSON has string keys.
  return value as Readonly<Record<string, unknown>>
}
