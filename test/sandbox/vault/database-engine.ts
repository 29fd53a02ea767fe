/** A database secrets engine over the in-memory database. */
import { randomBytes } from 'node:crypto'
import type { Answer } from '../faults.ts'
import { fingerprint, type Ledger } from '../ledger.ts'
import type { Database } from './database.ts'
import {
  type Exchange,
  keys,
  noContent,
  ok,
  seconds,
  text,
  textList,
  VaultRefusal,
} from './exchange.ts'
import type { LeaseStore } from './lease-store.ts'
import type { Token } from './token-store.ts'

/** The real engine lets the database honour a user a little longer than the lease. */
const GRACE_MS = 5_000
const DEFAULT_TTL_SECONDS = 3_600
const DEFAULT_MAX_TTL_SECONDS = 86_400

interface Role {
  readonly dbName: string
  readonly ttlSeconds: number
  readonly maxTtlSeconds: number
  readonly statements: readonly string[]
}

export class DatabaseEngine {
  readonly #configs = new Map<string, readonly string[]>()
  readonly #roles = new Map<string, Role>()
  readonly #database: Database
  readonly #leases: LeaseStore
  readonly #ledger: Ledger
  readonly #now: () => number

  constructor(options: {
    database: Database
    leases: LeaseStore
    ledger: Ledger
    now: () => number
  }) {
    this.#database = options.database
    this.#leases = options.leases
    this.#ledger = options.ledger
    this.#now = options.now
  }

  exists(path: string): boolean {
    const [kind, name = ''] = path.split('/')
    return kind === 'roles' ? this.#roles.has(name) : this.#configs.has(name)
  }

  handle(exchange: Exchange, path: string, token: Token): Answer {
    const [kind, name = ''] = path.split('/')
    if (kind === 'config') return this.#config(exchange, name)
    if (kind === 'roles') return this.#role(exchange, name)
    if (kind === 'creds' && exchange.operation === 'read') return this.#credentials(name, token)
    throw new VaultRefusal(404, `unsupported path`)
  }

  #config({ operation, data }: Exchange, name: string): Answer {
    if (operation === 'list') return keys(this.#configs.keys())
    if (operation === 'create' || operation === 'update') {
      this.#configs.set(name, textList(data, 'allowed_roles') ?? [])
      return noContent()
    }
    const allowed = this.#configs.get(name)
    if (!allowed) throw new VaultRefusal(404)
    if (operation === 'delete') this.#configs.delete(name)
    return operation === 'delete' ? noContent() : ok({ data: { allowed_roles: allowed } })
  }

  #role({ operation, data }: Exchange, name: string): Answer {
    if (operation === 'list') return keys(this.#roles.keys())
    if (operation === 'create' || operation === 'update') {
      this.#roles.set(name, {
        dbName: text(data, 'db_name') ?? '',
        ttlSeconds: seconds(data, 'default_ttl') ?? DEFAULT_TTL_SECONDS,
        maxTtlSeconds: seconds(data, 'max_ttl') ?? DEFAULT_MAX_TTL_SECONDS,
        statements: textList(data, 'creation_statements') ?? [],
      })
      return noContent()
    }
    const role = this.#roles.get(name)
    if (!role) throw new VaultRefusal(404)
    if (operation === 'delete') {
      this.#roles.delete(name)
      return noContent()
    }
    return ok({
      data: {
        db_name: role.dbName,
        default_ttl: role.ttlSeconds,
        max_ttl: role.maxTtlSeconds,
        creation_statements: role.statements,
        revocation_statements: [],
      },
    })
  }

  #credentials(name: string, token: Token): Answer {
    const role = this.#roles.get(name)
    if (!role) throw new VaultRefusal(400, `unknown role: ${name}`)
    const allowed = this.#configs.get(role.dbName) ?? []
    if (!allowed.includes('*') && !allowed.includes(name)) {
      throw new VaultRefusal(500, `"${name}" is not an allowed role`)
    }
    const username = `v-${token.displayName.slice(0, 8)}-${name.slice(0, 8)}-${randomBytes(10).toString('hex')}`
    const password = randomBytes(15).toString('base64url')
    const ttl = Math.min(role.ttlSeconds, role.maxTtlSeconds)
    const issuedAt = this.#now()
    this.#database.create({
      name: username,
      password,
      validUntil: issuedAt + ttl * 1_000,
      statements: role.statements,
    })
    const lease = this.#leases.register({
      path: `database/creds/${name}`,
      token: token.id,
      ttlSeconds: ttl,
      maxTtlSeconds: role.maxTtlSeconds,
      end: () => this.#database.drop(username),
      extend: (until) => this.#database.extend(username, until + GRACE_MS),
    })
    this.#ledger.mint({
      upstream: 'vault',
      fingerprint: fingerprint(password),
      name: token.policies.find((policy) => policy.startsWith('mf-')),
      at: issuedAt,
      nativeExpiresAt: lease.expiresAt,
      works: () => this.#database.accepts(username, password),
    })
    return ok({
      lease_id: lease.id,
      lease_duration: ttl,
      renewable: true,
      data: { username, password },
    })
  }
}
