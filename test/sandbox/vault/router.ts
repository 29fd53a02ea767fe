/** Everything inside the sandbox Vault, and which part answers a path: authenticate → ACL → route. */
import type { Answer } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import { type Acl, aclOf, ROOT_ACL } from './acl.ts'
import { AuthToken, type Caller, requireSudo } from './auth-token.ts'
import { Database } from './database.ts'
import { DatabaseEngine } from './database-engine.ts'
import { type Exchange, json, ok, permissionDenied, VaultRefusal } from './exchange.ts'
import { ISSUING_MOUNTS, IssuingEngine } from './issuing-engine.ts'
import { KeyValueV1, KeyValueV2 } from './key-value.ts'
import { LeaseStore } from './lease-store.ts'
import { Logins } from './login.ts'
import { capabilitiesSelf, handleLeases, Policies } from './sys.ts'
import { type Token, TokenStore } from './token-store.ts'

const LOGIN = /^auth\/(approle|kubernetes|jwt)\/login$/

export class Router {
  readonly policies = new Policies()
  readonly tokens: TokenStore
  readonly logins: Logins
  readonly database: Database
  readonly rootToken: string
  readonly #leases: LeaseStore
  readonly #authToken: AuthToken
  readonly #databaseEngine: DatabaseEngine
  readonly issuing: IssuingEngine
  readonly #secret: KeyValueV2
  readonly #kv = new KeyValueV1()

  constructor(options: { ledger: Ledger; now: () => number; queueDelayMs: number }) {
    const { ledger, now } = options
    this.#leases = new LeaseStore(options)
    this.tokens = new TokenStore({
      ledger,
      now,
      revoked: (token) => this.#leases.tokenRevoked(token.id),
      grantsAnything: (token) => this.#grantsAnything(token),
    })
    this.database = new Database({ ledger, now, settle: () => this.sweep() })
    this.logins = new Logins(this.tokens)
    this.#authToken = new AuthToken(this.tokens)
    this.#secret = new KeyValueV2(now)
    this.#databaseEngine = new DatabaseEngine({
      database: this.database,
      leases: this.#leases,
      ledger,
      now,
    })
    this.issuing = new IssuingEngine({ leases: this.#leases, ledger, now })
    this.rootToken = this.tokens.root().id
  }

  handle(exchange: Exchange, tokenId: string): Answer {
    this.sweep()
    if (exchange.path === 'sys/health') return HEALTH
    const mount = LOGIN.exec(exchange.path)?.[1]
    if (mount !== undefined && exchange.operation === 'update') {
      return this.logins.login(mount, exchange.data)
    }
    const token = this.tokens.byId(tokenId)
    if (!token) throw new VaultRefusal(403, 'permission denied')
    this.tokens.use(token)
    const caller: Caller = { token, acl: this.#aclOf(token) }
    if (!caller.acl.allows(exchange)) throw permissionDenied()
    return this.#route(exchange, caller)
  }

  /** Whether a write to `path` would make something new, where Vault asks that question. */
  creates(path: string): boolean {
    if (path.startsWith('auth/token/roles/')) {
      return !this.#authToken.exists(path.slice('auth/token/'.length))
    }
    if (/^database\/(config|roles)\//.test(path)) {
      return !this.#databaseEngine.exists(path.slice('database/'.length))
    }
    if (path.startsWith('secret/data/')) return !this.#secret.exists(path.slice('secret/'.length))
    if (path.startsWith('kv/')) return !this.#kv.exists(path.slice('kv/'.length))
    return false
  }

  /** Ends what has expired and what the revocation queue holds for now. */
  sweep(): void {
    this.tokens.sweep()
    this.#leases.sweep()
  }

  #route(exchange: Exchange, caller: Caller): Answer {
    const { path, operation } = exchange
    const below = (prefix: string) => path.slice(prefix.length)
    if (path === 'auth/token/accessors/') requireSudo(caller, path)
    if (path.startsWith('auth/token/')) {
      return this.#authToken.handle(exchange, below('auth/token/'), caller)
    }
    if (path.startsWith('auth/approle/role/')) {
      return this.logins.approle(exchange, below('auth/approle/role/'))
    }
    if (path === 'sys/policies/acl' || path.startsWith('sys/policies/acl/')) {
      return this.policies.handle(exchange, below('sys/policies/acl/'))
    }
    if (path.startsWith('sys/leases/')) {
      return handleLeases(this.#leases, exchange, below('sys/leases/'), caller)
    }
    if (path === 'sys/mounts' && operation === 'read') return ok({ data: MOUNTS })
    if (path === 'sys/capabilities-self' && operation === 'update') {
      return capabilitiesSelf(exchange, caller)
    }
    if (path.startsWith('database/')) {
      return this.#databaseEngine.handle(exchange, below('database/'), caller.token)
    }
    if (ISSUING_MOUNTS.some((mount) => path.startsWith(`${mount}/`))) {
      return this.issuing.handle(exchange, caller.token)
    }
    if (path.startsWith('secret/')) return this.#secret.handle(exchange, below('secret/'))
    if (path.startsWith('kv/')) return this.#kv.handle(exchange, below('kv/'))
    throw new VaultRefusal(404, `no handler for route "${path}". route entry not found.`)
  }

  #aclOf(token: Token): Acl {
    return token.policies.includes('root') ? ROOT_ACL : aclOf(this.policies.rulesOf(token.policies))
  }

  #grantsAnything(token: Token): boolean {
    return token.policies.includes('root') || this.policies.rulesOf(token.policies).length > 0
  }
}

const MOUNTS = Object.fromEntries(
  [
    ...['database', 'sys', 'identity', 'cubbyhole', ...ISSUING_MOUNTS].map((one) => [one, one]),
    ...['secret', 'kv'].map((one) => [one, 'kv']),
  ].map(([path, type]) => [`${path}/`, { type }]),
)

const HEALTH = json(200, {
  initialized: true,
  sealed: false,
  standby: false,
  version: '0.0.0-sandbox',
  cluster_name: 'sandbox',
})
