/** Vault's service tokens: who made them, how long they live, and what dies with them. */
import { randomBytes, randomUUID } from 'node:crypto'
import { fingerprint, type Ledger } from '../ledger.ts'
import { VaultRefusal } from './exchange.ts'

/** Vault's default `max_lease_ttl`: 768 hours. */
export const SYSTEM_MAX_TTL_SECONDS = 2_764_800
const UPSTREAM_NAME = /^mf-[a-z2-7]{20}$/

export interface Token {
  readonly id: string
  readonly accessor: string
  readonly parent: string | undefined
  readonly policies: readonly string[]
  readonly meta: Readonly<Record<string, string>>
  readonly path: string
  readonly displayName: string
  readonly role: string | undefined
  readonly type: 'service' | 'batch'
  readonly createdAt: number
  readonly creationTtlSeconds: number
  readonly explicitMaxTtlSeconds: number
  readonly renewable: boolean
  /** 0: no limit. */
  usesLeft: number
  readonly limitedUses: boolean
  /** Undefined: never, as for the root token. */
  expiresAt: number | undefined
}

export interface TokenWish {
  readonly parent: Token | undefined
  readonly policies: readonly string[]
  readonly meta?: Readonly<Record<string, string>>
  readonly path: string
  readonly displayName?: string
  readonly role?: string
  readonly type?: 'service' | 'batch'
  readonly ttlSeconds?: number | undefined
  readonly explicitMaxTtlSeconds?: number | undefined
  readonly renewable?: boolean | undefined
  readonly numUses?: number | undefined
}

export class TokenStore {
  readonly #byId = new Map<string, Token>()
  readonly #byAccessor = new Map<string, Token>()
  readonly #ledger: Ledger
  readonly #now: () => number
  readonly #revoked: (token: Token) => void
  readonly #grantsAnything: (token: Token) => boolean

  constructor(options: {
    ledger: Ledger
    now: () => number
    revoked: (token: Token) => void
    grantsAnything: (token: Token) => boolean
  }) {
    this.#ledger = options.ledger
    this.#now = options.now
    this.#revoked = options.revoked
    this.#grantsAnything = options.grantsAnything
  }

  root(): Token {
    return this.#add(
      { parent: undefined, policies: ['root'], path: 'auth/token/root', displayName: 'root' },
      { ttl: 0, explicitMax: 0 },
    )
  }

  create(wish: TokenWish): Token {
    const explicitMax = wish.explicitMaxTtlSeconds ?? 0
    const ceiling = Math.min(SYSTEM_MAX_TTL_SECONDS, explicitMax || SYSTEM_MAX_TTL_SECONDS)
    const token = this.#add(wish, {
      ttl: Math.min(wish.ttlSeconds ?? SYSTEM_MAX_TTL_SECONDS, ceiling),
      explicitMax,
    })
    this.#ledger.mint({
      upstream: 'vault',
      fingerprint: fingerprint(token.id),
      name: leaseNameOf(token),
      at: token.createdAt,
      nativeExpiresAt: token.expiresAt ?? Number.POSITIVE_INFINITY,
      works: () => this.byId(token.id) !== undefined && this.#grantsAnything(token),
    })
    return token
  }

  /** Undefined for unknown, expired and used-up tokens. */
  byId(id: string): Token | undefined {
    return this.#alive(this.#byId.get(id))
  }

  byAccessor(accessor: string): Token | undefined {
    return this.#alive(this.#byAccessor.get(accessor))
  }

  nameOf(accessor: string): string | undefined {
    const token = this.byAccessor(accessor)
    return token ? leaseNameOf(token) : undefined
  }

  accessors(): readonly string[] {
    return [...this.#byAccessor.values()].filter((t) => this.#alive(t)).map((t) => t.accessor)
  }

  /** Counts one use of a token that has a limit. */
  use(token: Token): void {
    if (token.limitedUses) token.usesLeft -= 1
  }

  renew(token: Token, increment: number | undefined): number {
    if (!token.renewable || token.expiresAt === undefined) {
      throw new VaultRefusal(400, 'lease is not renewable')
    }
    const hardEnd =
      token.createdAt + (token.explicitMaxTtlSeconds || SYSTEM_MAX_TTL_SECONDS) * 1_000
    const wanted = this.#now() + (increment ?? token.creationTtlSeconds) * 1_000
    token.expiresAt = Math.min(wanted, hardEnd)
    return this.ttlOf(token)
  }

  ttlOf(token: Token): number {
    if (token.expiresAt === undefined) return 0
    return Math.max(0, Math.floor((token.expiresAt - this.#now()) / 1_000))
  }

  /** Children first; what the token leased is queued by `revoked`. */
  revoke(token: Token): void {
    for (const child of [...this.#byId.values()].filter((t) => t.parent === token.id)) {
      this.revoke(child)
    }
    this.#byId.delete(token.id)
    this.#byAccessor.delete(token.accessor)
    this.#revoked(token)
  }

  /** Ends what has expired by now. */
  sweep(): void {
    for (const token of [...this.#byId.values()]) this.#alive(token)
  }

  #alive(token: Token | undefined): Token | undefined {
    if (!token || !this.#byId.has(token.id)) return undefined
    const expired = token.expiresAt !== undefined && token.expiresAt <= this.#now()
    if (!expired && !(token.limitedUses && token.usesLeft <= 0)) return token
    this.revoke(token)
    return undefined
  }

  #add(wish: TokenWish, life: { ttl: number; explicitMax: number }): Token {
    const now = this.#now()
    const token: Token = {
      id: `hvs.${randomBytes(24).toString('base64url')}`,
      accessor: wish.type === 'batch' ? '' : randomUUID().replaceAll('-', '').slice(0, 24),
      parent: wish.parent?.id,
      policies: wish.policies,
      meta: wish.meta ?? {},
      path: wish.path,
      displayName: wish.displayName ?? 'token',
      role: wish.role,
      type: wish.type ?? 'service',
      createdAt: now,
      creationTtlSeconds: life.ttl,
      explicitMaxTtlSeconds: life.explicitMax,
      renewable: life.ttl > 0 && wish.type !== 'batch' && (wish.renewable ?? true),
      usesLeft: wish.numUses ?? 0,
      limitedUses: (wish.numUses ?? 0) > 0,
      expiresAt: life.ttl === 0 ? undefined : now + life.ttl * 1_000,
    }
    this.#byId.set(token.id, token)
    if (token.accessor !== '') this.#byAccessor.set(token.accessor, token)
    return token
  }
}

function leaseNameOf(token: Token): string | undefined {
  const named = [...token.policies, ...Object.values(token.meta)]
  return named.find((text) => UPSTREAM_NAME.test(text))
}
