/** Vault's leases on dynamic secrets: ended at once when asked synchronously, else by a queue. */
import { randomBytes } from 'node:crypto'
import { VaultRefusal } from './exchange.ts'

export interface Lease {
  readonly id: string
  readonly token: string
  readonly issuedAt: number
  readonly maxTtlSeconds: number
  readonly renewable: boolean
  renewedAt: number | undefined
  expiresAt: number
  /** The backend refused once; Vault tries again by itself where it was queued. */
  revokeError: string | undefined
  /** Ends the secret at its backend; throws when the backend fails. */
  readonly end: () => void
  /** Tells the backend a new end of life, where it keeps one. */
  readonly extend: (expiresAt: number) => void
}

/** Vault tries again after about 20 s; the sandbox is quicker, and never gives up either. */
const RETRY_MS = 200

export class LeaseStore {
  readonly #leases = new Map<string, Lease>()
  readonly #queue = new Map<string, number>()
  readonly #now: () => number
  readonly #queueDelayMs: number

  constructor(options: { now: () => number; queueDelayMs: number }) {
    this.#now = options.now
    this.#queueDelayMs = options.queueDelayMs
  }

  register(wish: {
    path: string
    token: string
    ttlSeconds: number
    maxTtlSeconds: number
    /** Default true. */
    renewable?: boolean
    end: () => void
    extend: (expiresAt: number) => void
  }): Lease {
    const now = this.#now()
    const lease: Lease = {
      id: `${wish.path}/${randomBytes(18).toString('base64url')}`,
      token: wish.token,
      issuedAt: now,
      maxTtlSeconds: wish.maxTtlSeconds,
      renewable: wish.renewable ?? true,
      renewedAt: undefined,
      expiresAt: now + wish.ttlSeconds * 1_000,
      revokeError: undefined,
      end: wish.end,
      extend: wish.extend,
    }
    this.#leases.set(lease.id, lease)
    return lease
  }

  find(id: string): Lease | undefined {
    return this.#leases.get(id)
  }

  under(prefix: string): readonly Lease[] {
    return [...this.#leases.values()].filter((lease) => lease.id.startsWith(prefix))
  }

  ttlOf(lease: Lease): number {
    return Math.max(0, Math.floor((lease.expiresAt - this.#now()) / 1_000))
  }

  renew(id: string, increment: number | undefined): Lease {
    const lease = this.#leases.get(id)
    if (!lease || this.#queue.has(id)) throw new VaultRefusal(400, 'lease not found')
    if (!lease.renewable) throw new VaultRefusal(400, 'lease is not renewable')
    const now = this.#now()
    const hardEnd = lease.issuedAt + lease.maxTtlSeconds * 1_000
    const wanted = now + (increment ?? (lease.expiresAt - lease.issuedAt) / 1_000) * 1_000
    lease.expiresAt = Math.min(wanted, hardEnd)
    lease.renewedAt = now
    lease.extend(lease.expiresAt)
    return lease
  }

  /** Inline: the secret is dead when this returns, or it throws and the lease stays. */
  revokeNow(id: string): void {
    const lease = this.#leases.get(id)
    if (!lease) return
    try {
      lease.end()
    } catch (error) {
      lease.revokeError = String(error)
      // As OpenBao 2.6.2 does, it quotes what the backend said, whatever is in it.
      const said = error instanceof Error ? error.message : String(error)
      throw new VaultRefusal(
        400,
        `failed to revoke entry: resp: (*logical.Response)(nil) err: ${said}`,
      )
    }
    this.#leases.delete(id)
    this.#queue.delete(id)
  }

  revokeLater(id: string): void {
    if (this.#leases.has(id)) this.#queue.set(id, this.#now() + this.#queueDelayMs)
  }

  /** A token died: its leases are queued, not ended yet. */
  tokenRevoked(token: string): void {
    for (const lease of this.#leases.values()) {
      if (lease.token === token) this.revokeLater(lease.id)
    }
  }

  /** Works off what is due by now. */
  sweep(): void {
    const now = this.#now()
    for (const lease of this.#leases.values()) {
      // What failed waits for its next try; anything else that has expired is due at once.
      const waits = this.#queue.has(lease.id) && lease.revokeError !== undefined
      if (lease.expiresAt <= now && !waits) this.#queue.set(lease.id, now)
    }
    for (const [id, dueAt] of [...this.#queue]) {
      if (dueAt > now) continue
      try {
        this.revokeNow(id)
      } catch {
        this.#queue.set(id, now + RETRY_MS)
      }
    }
  }
}
