import { randomBytes } from 'node:crypto'
import { fingerprint, type Ledger } from '../ledger.ts'
import { type BoundaryRule, boundaryPermits, type StorageAccess } from './boundary.ts'
import { rolePermits, scopesPermit } from './roles.ts'

export interface Binding {
  readonly role: string
  readonly bucket: string
}

export interface ServiceAccount {
  readonly email: string
  readonly uniqueId: string
  readonly bindings: readonly Binding[]
  /** Every time it was switched, oldest first; none: it was enabled all along. */
  readonly switches: { readonly at: number; readonly off: boolean }[]
  /** Whose tokens may be made with a token of this account, as `roles/iam.serviceAccountTokenCreator` gives it. */
  readonly mayActAs: Set<string>
}

/** What the holder of a broker's fixed token may do with which service accounts. */
export interface BrokerGrant {
  readonly permissions: readonly string[]
  readonly accounts: readonly string[] | '*'
}

export interface StoredObject {
  readonly content: Buffer
  readonly contentType: string
  readonly generation: number
}

/** A resumable upload that was begun; its URI alone lets anyone finish it. */
export interface UploadSession {
  readonly bucket: string
  readonly key: string
  readonly contentType: string
}

export interface Token {
  readonly value: string
  readonly account: ServiceAccount
  readonly scopes: readonly string[]
  readonly expiresAt: number
  readonly name: string | undefined
  readonly boundary: readonly BoundaryRule[] | null
}

export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly status: 401 | 403; readonly reason: string }

/** The state of a small Google Cloud, and the only judge of what a token may do in it. */
export class World {
  readonly accounts = new Map<string, ServiceAccount>()
  readonly brokers = new Map<string, readonly BrokerGrant[]>()
  readonly buckets = new Map<string, Map<string, StoredObject>>()
  readonly tokens = new Map<string, Token>()
  readonly uploads = new Map<string, UploadSession>()
  readonly ledger: Ledger
  readonly propagationMs: number
  readonly now: () => number

  constructor(options: { ledger: Ledger; propagationMs: number; now: () => number }) {
    this.ledger = options.ledger
    this.propagationMs = options.propagationMs
    this.now = options.now
  }

  /** Finds an account by its email or its unique id, as the APIs do. */
  account(key: string): ServiceAccount | undefined {
    return this.accounts.get(key) ?? [...this.accounts.values()].find((one) => one.uniqueId === key)
  }

  /** Whether the holder of this bearer token may do `permission` on a service account. */
  mayOnAccount(bearer: string | undefined, permission: string, email: string): boolean {
    return (this.brokers.get(bearer ?? '') ?? []).some(
      (grant) =>
        grant.permissions.includes(permission) &&
        (grant.accounts === '*' || grant.accounts.includes(email)),
    )
  }

  /** Whether Google authenticates the holder at all. */
  knows(bearer: string | undefined): boolean {
    const token = this.tokens.get(bearer ?? '')
    return token ? this.honours(token) : this.brokers.has(bearer ?? '')
  }

  /** What the control plane says now. */
  isDisabled(account: ServiceAccount): boolean {
    return account.switches.at(-1)?.off ?? false
  }

  setDisabled(account: ServiceAccount, off: boolean): void {
    if (this.isDisabled(account) !== off) account.switches.push({ at: this.now(), off })
  }

  /** Both ways bite late; once enabling has, old tokens are valid again. */
  switchedOff(account: ServiceAccount): boolean {
    const bitten = this.now() - this.propagationMs
    return account.switches.findLast(({ at }) => at <= bitten)?.off ?? false
  }

  mint(grant: Omit<Token, 'value'>): Token {
    const token: Token = { ...grant, value: `ya29.${randomBytes(24).toString('base64url')}` }
    this.tokens.set(token.value, token)
    this.ledger.mint({
      upstream: 'gcp',
      fingerprint: fingerprint(token.value),
      name: token.name,
      at: this.now(),
      nativeExpiresAt: token.expiresAt,
      works: () => this.honours(token),
    })
    return token
  }

  honours(token: Token): boolean {
    return this.now() < token.expiresAt && !this.switchedOff(token.account)
  }

  /** Judges one use of a token on Cloud Storage, and writes it to the ledger. */
  judge(bearer: string | undefined, access: StorageAccess): Verdict {
    const verdict = this.#verdict(bearer, access)
    if (bearer !== undefined) {
      this.ledger.use({
        upstream: 'gcp',
        fingerprint: fingerprint(bearer),
        at: this.now(),
        operation: access.permission,
        allowed: verdict.allowed,
        reason: verdict.allowed ? 'allowed' : verdict.reason,
      })
    }
    return verdict
  }

  wouldPermit(bearer: string | undefined, access: StorageAccess): boolean {
    return this.#verdict(bearer, access).allowed
  }

  #verdict(bearer: string | undefined, access: StorageAccess): Verdict {
    const token = this.tokens.get(bearer ?? '')
    if (!token) return { allowed: false, status: 401, reason: 'invalid token' }
    if (this.now() >= token.expiresAt) return { allowed: false, status: 401, reason: 'expired' }
    if (this.switchedOff(token.account)) {
      return { allowed: false, status: 401, reason: 'service account disabled' }
    }
    if (!scopesPermit(token.scopes, access.permission)) {
      return { allowed: false, status: 403, reason: 'insufficient authentication scopes' }
    }
    const bound = token.account.bindings.some(
      (binding) => binding.bucket === access.bucket && rolePermits(binding.role, access.permission),
    )
    if (!bound) return { allowed: false, status: 403, reason: `${access.permission} not granted` }
    if (token.boundary && !boundaryPermits(token.boundary, access)) {
      return { allowed: false, status: 403, reason: 'outside the credential access boundary' }
    }
    return { allowed: true }
  }
}
