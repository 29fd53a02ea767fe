/** One of Mayfly's own identities at Vault: logs in, logs in again, and calls with its token. */
import type { Clock } from '../../src/clock.ts'
import { UpstreamError } from '../../src/provider.ts'
import { Secret } from '../../src/secret.ts'
import { type VaultCall, type VaultClient, VaultRefusedError, type VaultReply } from './client.ts'
import type { Auth } from './settings.ts'

interface OwnToken {
  readonly value: Secret
  /** When to log in again: after two thirds of its life. */
  readonly staleAt: number
  /** When Vault forgets it. */
  readonly endsAt: number
  /** Whether closing should revoke it: only what a login of ours made. */
  readonly ours: boolean
}

export type SessionCall = Omit<VaultCall, 'token'>

export class VaultSession {
  readonly #client: VaultClient
  readonly #auth: Auth
  readonly #clock: Clock
  readonly #secret: (reference: string) => Secret
  #token: OwnToken | undefined
  #login: Promise<OwnToken> | undefined
  #refusal: { readonly error: VaultRefusedError; readonly until: number } | undefined

  constructor(options: {
    client: VaultClient
    auth: Auth
    clock: Clock
    secret: (reference: string) => Secret
  }) {
    this.#client = options.client
    this.#auth = options.auth
    this.#clock = options.clock
    this.#secret = options.secret
  }

  /** Calls as this identity; a 403 to a token that turns out to be dead is tried once more. */
  async call(call: SessionCall): Promise<VaultReply> {
    const token = await this.#current(call.signal)
    try {
      return await this.#client.call({ ...call, token: token.value })
    } catch (error) {
      if (!(error instanceof VaultRefusedError) || error.status !== 403) throw error
      if (await this.#isAlive(token, call.signal)) throw error
      this.#forget(token)
      const fresh = await this.#current(call.signal)
      return this.#client.call({ ...call, token: fresh.value })
    }
  }

  /** Best effort: what our logins made is revoked; leases are orphans and live on. */
  async close(): Promise<void> {
    const token = this.#token
    this.#token = undefined
    if (!token?.ours) return
    const signal = AbortSignal.timeout(CLOSE_MS)
    const call = { method: 'write', path: 'auth/token/revoke-self', signal } as const
    await this.#client.call({ ...call, token: token.value }).catch(() => undefined)
  }

  /** While a new login fails, an old token that still lives is good enough. */
  async #current(signal: AbortSignal): Promise<OwnToken> {
    const old = this.#token
    if (old && this.#clock.now() < old.staleAt) return old
    this.#login ??= this.#logInOnce(signal).finally(() => {
      this.#login = undefined
    })
    try {
      this.#token = await this.#login
      return this.#token
    } catch (error) {
      if (old && old === this.#token && this.#clock.now() < old.endsAt) return old
      throw error
    }
  }

  /** A refused login is not asked for again at once: many calls would be many attempts. */
  async #logInOnce(signal: AbortSignal): Promise<OwnToken> {
    const refusal = this.#refusal
    if (refusal && this.#clock.monotonic() < refusal.until) throw refusal.error
    try {
      return await this.#logIn(signal)
    } catch (error) {
      if (error instanceof VaultRefusedError && error.outcome === 'refused') {
        this.#refusal = { error, until: this.#clock.monotonic() + REFUSED_PAUSE_MS }
      }
      throw error
    }
  }

  async #logIn(signal: AbortSignal): Promise<OwnToken> {
    const auth = this.#auth
    if (auth.method === 'token') {
      const value = new Secret(this.#secret(auth.token).reveal().trim())
      const never = Number.POSITIVE_INFINITY
      return { value, staleAt: never, endsAt: never, ours: false }
    }
    const startedAt = this.#clock.now()
    const { body } = await this.#client.call({
      method: 'write',
      path: `auth/${auth.mount}/login`,
      data: this.#evidence(auth),
      signal,
    })
    const granted = grantOf(body)
    if (!granted) {
      throw new UpstreamError('unknown', `vault's answer to the ${auth.method} login has no token`)
    }
    return {
      value: granted.token,
      staleAt: startedAt + (granted.seconds * 1_000 * 2) / 3,
      endsAt: startedAt + granted.seconds * 1_000,
      ours: true,
    }
  }

  #evidence(auth: Exclude<Auth, { method: 'token' }>): Readonly<Record<string, unknown>> {
    switch (auth.method) {
      case 'approle':
        return { role_id: auth.role_id, secret_id: this.#reveal(auth.secret_id) }
      case 'kubernetes':
        return { role: auth.role, jwt: this.#reveal(`file:${auth.token_file}`) }
      case 'jwt':
        return { role: auth.role, jwt: this.#reveal(auth.jwt) }
    }
  }

  #reveal(reference: string): string {
    return this.#secret(reference).reveal().trim()
  }

  async #isAlive(token: OwnToken, signal: AbortSignal): Promise<boolean> {
    const call = { method: 'read', path: 'auth/token/lookup-self', signal } as const
    try {
      await this.#client.call({ ...call, token: token.value })
      return true
    } catch (error) {
      // Only Vault's own refusal says the token is dead; an outage says nothing.
      return !(error instanceof VaultRefusedError && error.status === 403)
    }
  }

  #forget(token: OwnToken): void {
    if (this.#token === token) this.#token = undefined
  }
}

const CLOSE_MS = 1_000
/** Long enough to be no storm, short enough for a secret id that was just replaced. */
const REFUSED_PAUSE_MS = 1_000

function grantOf(body: Readonly<Record<string, unknown>>) {
  const { auth } = body
  if (typeof auth !== 'object' || auth === null) return undefined
  if (!('client_token' in auth) || typeof auth.client_token !== 'string') return undefined
  if (auth.client_token === '') return undefined
  const lasts = 'lease_duration' in auth ? Number(auth.lease_duration) : 0
  // A token that never expires is still renewed daily, so that a dead one is noticed.
  return { token: new Secret(auth.client_token), seconds: lasts > 0 ? lasts : 86_400 }
}
