/**
 * The Google side of one provider instance. Loaded with the first call only: the generated client
 * and its transport cost a quarter of a second.
 */
import { IAMCredentialsClient } from '@google-cloud/iam-credentials'
import type { HeardClock } from '../../src/clock.ts'
import type { ProviderContext } from '../../src/provider.ts'
import type { Secret } from '../../src/secret.ts'
import { upstreamError } from './errors.ts'
import { BrokerIdentity, type CallFrame } from './identity.ts'
import { endpointsOf, type Settings } from './settings.ts'

/** What an exchange with Google gave, and Google's clock when it answered. */
export interface Answer<T> {
  readonly body: T
  readonly upstreamTime: number | undefined
}

/** Bounds and names one exchange. */
export interface Bounds {
  readonly signal: AbortSignal
  readonly upstreamName: string
}

/** What a look at a token has shown. */
export type Look = 'accepted' | 'refused' | 'unseen'

export class Upstream {
  readonly minter: BrokerIdentity
  readonly revoker: BrokerIdentity
  readonly #credentials: IAMCredentialsClient
  readonly #iam: URL
  readonly #sts: URL
  readonly #storage: URL
  readonly #heard: HeardClock

  constructor(context: ProviderContext<Settings>, heard: HeardClock) {
    this.#heard = heard
    const { settings } = context
    const endpoints = endpointsOf(settings)
    const secret = (reference: string) => context.secret(reference)
    this.minter = new BrokerIdentity(settings.credentials, secret)
    this.revoker = settings.revoke?.credentials
      ? new BrokerIdentity(settings.revoke.credentials, secret)
      : this.minter
    this.#iam = endpoints.iam
    this.#sts = endpoints.sts
    this.#storage = endpoints.storage
    this.#credentials = new IAMCredentialsClient({
      fallback: true,
      authClient: this.minter,
      apiEndpoint: endpoints.iamcredentials.hostname,
      port: Number(endpoints.iamcredentials.port) || 443,
      protocol: endpoints.iamcredentials.protocol.replace(':', ''),
    })
  }

  /** `generateAccessToken`, sent once; throws `UpstreamError`. */
  async generateAccessToken(
    wish: {
      account: string
      /** From the mint identity's first hop on. */
      delegates: readonly string[]
      scopes: readonly string[]
      seconds: number
    },
    bounds: Bounds,
  ) {
    const what = `generateAccessToken for ${wish.account}`
    return this.#exchange(this.minter, what, bounds, async () => {
      const [answer] = await this.#credentials.generateAccessToken(
        {
          name: nameOf(wish.account),
          delegates: wish.delegates.map(nameOf),
          scope: [...wish.scopes],
          lifetime: { seconds: wish.seconds },
        },
        // The default policy would mint again after UNAVAILABLE.
        { retry: null },
      )
      return answer
    })
  }

  /** RFC 8693 token exchange at Google's STS; authenticated by the subject token alone. */
  async exchangeToken(form: URLSearchParams, bounds: Bounds): Promise<Answer<unknown>> {
    const url = new URL('/v1/token', this.#sts)
    return this.#exchange(this.minter, 'token exchange', bounds, async () => {
      const request = { url, method: 'POST', data: form } as const
      const { data } = await this.minter.requestUnauthenticated<unknown>(request)
      return data
    })
  }

  /**
   * Whether Cloud Storage takes this token for one: `buckets.testIamPermissions` needs no
   * permission, only to be authenticated. 'own': the mint identity's. Anything that is not surely
   * Google's word has shown nothing.
   * https://cloud.google.com/storage/docs/json_api/v1/buckets/testIamPermissions
   */
  async looks(bucket: string, token: Secret | 'own', bounds: Bounds): Promise<Look> {
    const url = new URL(
      `/storage/v1/b/${encodeURIComponent(bucket)}/iam/testPermissions`,
      this.#storage,
    )
    url.searchParams.set('permissions', 'storage.objects.get')
    const frame: CallFrame = { signal: bounds.signal, reason: bounds.upstreamName }
    try {
      if (token === 'own') await this.minter.call(frame, () => this.minter.request({ url }))
      else {
        const headers = { authorization: `Bearer ${token.reveal()}` }
        await this.minter.call(frame, () => this.minter.requestUnauthenticated({ url, headers }))
      }
      return 'accepted'
    } catch {
      const { status, code } = frame.failure ?? { status: null, code: undefined }
      if (code === undefined) return 'unseen'
      if (status === 401) return 'refused'
      return status === 403 || status === 404 ? 'accepted' : 'unseen'
    }
  }

  /** One call of IAM v1 as `identity`. */
  async iam(
    identity: BrokerIdentity,
    request: { method: 'GET' | 'POST'; path: string; body?: unknown },
    bounds: Bounds,
  ): Promise<Answer<unknown>> {
    const url = new URL(`/v1/${request.path}`, this.#iam)
    const what = `${request.method} ${decodeURIComponent(url.pathname)}`
    return this.#exchange(identity, what, bounds, async () => {
      const { data } = await identity.request<unknown>({
        url,
        method: request.method,
        ...(request.body !== undefined && { data: request.body }),
      })
      return data
    })
  }

  async close(): Promise<void> {
    await this.#credentials.close()
  }

  async #exchange<T>(
    identity: BrokerIdentity,
    what: string,
    bounds: Bounds,
    exchange: () => Promise<T>,
  ): Promise<Answer<T>> {
    const frame: CallFrame = { signal: bounds.signal, reason: bounds.upstreamName }
    await identity.ready(bounds.signal)
    try {
      const body = await identity.call(frame, exchange)
      if (frame.upstreamTime !== undefined) this.#heard.hear(frame.upstreamTime)
      return { body, upstreamTime: frame.upstreamTime }
    } catch {
      // What the client threw may hold headers and bodies: only the frame's facts go on.
      throw upstreamError(what, frame.failure ?? { status: null, code: undefined, unsent: false })
    }
  }
}

/** The `-` is mandatory: another project is an error. */
function nameOf(account: string): string {
  return `projects/-/serviceAccounts/${account}`
}
