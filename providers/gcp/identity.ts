import { AsyncLocalStorage } from 'node:async_hooks'
import { AuthClient, GoogleAuth, type gaxios, OAuth2Client } from 'google-auth-library'
import { UpstreamError } from '../../src/provider.ts'
import type { Secret } from '../../src/secret.ts'
import { withDeadline } from './deadline.ts'
import { type Failure, failureOf } from './errors.ts'
import type { Credentials } from './settings.ts'
import { CLOUD_PLATFORM } from './target.ts'

/** Bounds a single HTTP exchange even where the caller's signal would not. */
const TRANSPORT_TIMEOUT_MS = 20_000

/** One call in flight: what bounds it, and what its answer said beside the body. */
export interface CallFrame {
  readonly signal: AbortSignal
  /** The lease's upstream name; Google copies this header into its audit logs. */
  readonly reason: string
  upstreamTime?: number
  failure?: Failure
}

/**
 * One of the broker's own Google identities. Every request made with it inside `call` is sent at
 * most once, is bounded by the frame's signal, and leaves its failure in the frame. It is also the
 * auth client that the generated Google clients are given, which have neither cancel nor timeout
 * of their own over REST.
 */
export class BrokerIdentity extends AuthClient {
  readonly #frames = new AsyncLocalStorage<CallFrame>()
  readonly #open: () => Promise<AuthClient>

  constructor(credentials: Credentials | undefined, secret: (reference: string) => Secret) {
    super()
    this.#open = opener(credentials, secret)
  }

  /** Obtains the identity's own token, so that a failure to do so is known to have sent nothing. */
  async ready(signal: AbortSignal): Promise<void> {
    try {
      const client = await withDeadline(this.#open(), signal)
      await withDeadline(client.getRequestHeaders(), signal)
    } catch {
      throw new UpstreamError(
        'refused',
        'the broker has no Google credentials of its own: check credentials of the provider, or the application default credentials',
      )
    }
  }

  /** Runs one exchange under a frame; what it throws is in `frame.failure`, not in the error. */
  async call<T>(frame: CallFrame, exchange: () => Promise<T>): Promise<T> {
    return this.#frames.run(frame, () => withDeadline(exchange(), frame.signal))
  }

  override async request<T>(options: gaxios.GaxiosOptions): Promise<gaxios.GaxiosResponse<T>> {
    const client = await this.#open()
    return this.#send(options, (bounded) => client.request<T>(bounded))
  }

  /** The same without the identity's token, for a request that carries its own authority. */
  async requestUnauthenticated<T>(
    options: gaxios.GaxiosOptions,
  ): Promise<gaxios.GaxiosResponse<T>> {
    return this.#send(options, (bounded) => this.transporter.request<T>(bounded))
  }

  override async getRequestHeaders(url?: string | URL): Promise<Headers> {
    return (await this.#open()).getRequestHeaders(url)
  }

  override async getAccessToken(): ReturnType<AuthClient['getAccessToken']> {
    return (await this.#open()).getAccessToken()
  }

  async #send<T>(
    options: gaxios.GaxiosOptions,
    send: (bounded: gaxios.GaxiosOptions) => Promise<gaxios.GaxiosResponse<T>>,
  ): Promise<gaxios.GaxiosResponse<T>> {
    const frame = this.#frames.getStore()
    try {
      const response = await send(bound(options, frame))
      if (frame) noteTime(frame, response.headers)
      return response
    } catch (error) {
      if (frame) frame.failure = failureOf(error)
      throw error
    }
  }
}

function bound(options: gaxios.GaxiosOptions, frame: CallFrame | undefined): gaxios.GaxiosOptions {
  const signals = [options.signal, frame?.signal].filter((one) => one instanceof AbortSignal)
  const headers = new Headers(options.headers)
  if (frame) headers.set('x-goog-request-reason', frame.reason)
  return {
    ...options,
    headers,
    retry: false,
    // A redirect could send the request, and the broker's token, a second time and elsewhere.
    redirect: 'error',
    timeout: TRANSPORT_TIMEOUT_MS,
    ...(signals.length > 0 && { signal: AbortSignal.any(signals) }),
  }
}

function noteTime(frame: CallFrame, headers: Headers): void {
  const time = Date.parse(headers.get('date') ?? '')
  if (Number.isFinite(time)) frame.upstreamTime = time
}

/** Gives the real client behind the identity; a failure is not remembered. */
function opener(
  credentials: Credentials | undefined,
  secret: (reference: string) => Secret,
): () => Promise<AuthClient> {
  const clientOptions = { transporterOptions: { timeout: TRANSPORT_TIMEOUT_MS } }
  if (credentials && 'access_token' in credentials) {
    const client = new OAuth2Client(clientOptions)
    // Read each time: whoever put the token there may replace it.
    return async () => {
      client.setCredentials({ access_token: secret(credentials.access_token).reveal() })
      return client
    }
  }
  const keyFile = credentials?.key_file
  let opened: Promise<AuthClient> | undefined
  return () => {
    opened ??= openGoogleAuth().catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }

  async function openGoogleAuth(): Promise<AuthClient> {
    const options = { scopes: [CLOUD_PLATFORM], clientOptions }
    if (!keyFile) return new GoogleAuth(options).getClient()
    const key = JSON.parse(secret(keyFile).reveal())
    return new GoogleAuth({ ...options, credentials: key }).getClient()
  }
}
