/** An in-memory database whose users really come and go, and may read only what they were granted. */
import { fingerprint, type Ledger } from '../ledger.ts'
import { VaultRefusal } from './exchange.ts'

/** How a database says no, with PostgreSQL's code for it. */
export class DatabaseRefusal extends Error {
  readonly code: '28P01' | '42501'

  constructor(code: '28P01' | '42501', message: string) {
    super(message)
    this.code = code
  }
}

interface User {
  readonly password: string
  readonly validUntil: number
  readonly tables: ReadonlySet<string>
}

export interface NewUser {
  readonly name: string
  readonly password: string
  readonly validUntil: number
  /** SQL run as the user is made; what it grants is what the user may read. */
  readonly statements?: readonly string[]
}

/** What the demo and the tests ask directly: who may log in and read what, and is it up. */
export class Database {
  readonly users = new Map<string, User>()
  /** Rows by table. */
  readonly tables = new Map<string, readonly string[]>()
  /** While true every statement fails, so that nobody can be created or dropped. */
  failing = false
  readonly #ledger: Ledger
  readonly #now: () => number
  readonly #settle: () => void

  constructor(options: { ledger: Ledger; now: () => number; settle: () => void }) {
    this.#ledger = options.ledger
    this.#now = options.now
    this.#settle = options.settle
  }

  /** Whether this user may log in now; recorded in the ledger as a use of the password. */
  login(user: string, password: string): boolean {
    const allowed = this.accepts(user, password)
    this.#ledger.use({
      upstream: 'vault',
      fingerprint: fingerprint(password),
      at: this.#now(),
      operation: 'database login',
      allowed,
      reason: allowed ? 'the user exists' : 'no such user, wrong password or past its end',
    })
    return allowed
  }

  /** Logs in and reads a whole table; throws `DatabaseRefusal` like a database would refuse. */
  select(user: string, password: string, table: string): readonly string[] {
    if (!this.login(user, password)) {
      throw new DatabaseRefusal('28P01', `password authentication failed for user "${user}"`)
    }
    if (!this.users.get(user)?.tables.has(table)) {
      throw new DatabaseRefusal('42501', `permission denied for table ${table}`)
    }
    return this.tables.get(table) ?? []
  }

  accepts(user: string, password: string): boolean {
    this.#settle()
    const known = this.users.get(user)
    return known?.password === password && known.validUntil > this.#now()
  }

  create({ name, password, validUntil, statements = [] }: NewUser): void {
    this.#mustBeUp()
    this.users.set(name, { password, validUntil, tables: grantedBy(statements) })
  }

  extend(user: string, validUntil: number): void {
    this.#mustBeUp()
    const known = this.users.get(user)
    if (known) this.users.set(user, { ...known, validUntil })
  }

  drop(user: string): void {
    this.#mustBeUp()
    this.users.delete(user)
  }

  #mustBeUp(): void {
    if (this.failing) throw new VaultRefusal(500, 'failed to execute query: connection refused')
  }
}

function grantedBy(statements: readonly string[]): ReadonlySet<string> {
  const grants = statements.flatMap((sql) => [...sql.matchAll(/\bGRANT SELECT ON (\w+) TO\b/gi)])
  return new Set(grants.map(([, table]) => table ?? ''))
}
