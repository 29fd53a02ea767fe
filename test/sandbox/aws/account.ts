import { randomBytes } from 'node:crypto'
import { parsePolicy, type Statement } from './policy-document.ts'

/** What a signature resolves to: a user's long-term keys or a role session. */
export type Principal = User | Session

export interface User {
  readonly kind: 'user'
  readonly name: string
  readonly arn: string
  readonly id: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly policies: readonly Statement[]
}

export interface Role {
  readonly name: string
  readonly arn: string
  readonly id: string
  readonly trust: readonly Statement[]
  readonly boundary: readonly Statement[] | undefined
  readonly maxSessionSeconds: number
  readonly inline: InlinePolicies
}

export interface Session {
  readonly kind: 'session'
  readonly role: Role
  readonly name: string
  readonly arn: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly token: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly policy: readonly Statement[] | undefined
  readonly sourceIdentity: string | undefined
  readonly tags: ReadonlyMap<string, string>
  readonly transitiveTags: readonly string[]
}

/** Everything one AWS account of the sandbox holds. */
export class Account {
  readonly id: string
  readonly users = new Map<string, User>()
  readonly roles = new Map<string, Role>()
  readonly sessions = new Map<string, Session>()
  readonly buckets = new Map<string, Bucket>()

  constructor(id: string) {
    this.id = id
  }

  byAccessKey(accessKeyId: string): Principal | undefined {
    return this.users.get(accessKeyId) ?? this.sessions.get(accessKeyId)
  }
}

export interface Bucket {
  readonly objects: Map<string, Buffer>
  policy: readonly Statement[]
}

interface Change {
  readonly at: number
  readonly name: string
  readonly text: string | undefined
}

/**
 * A role's inline policies as the control plane holds them, and as authorisation sees them
 * `propagationMs` later.
 */
export class InlinePolicies {
  readonly #propagationMs: number
  readonly #stored = new Map<string, string>()
  readonly #parsed = new Map<string, readonly Statement[]>()
  #effective = new Map<string, string>()
  #changes: Change[] = []

  constructor(propagationMs: number, initial: Readonly<Record<string, string>>) {
    this.#propagationMs = propagationMs
    for (const [name, text] of Object.entries(initial)) {
      parsePolicy(text, 'identity')
      this.#stored.set(name, text)
      this.#effective.set(name, text)
    }
  }

  names(): string[] {
    return [...this.#stored.keys()].sort()
  }

  get(name: string): string | undefined {
    return this.#stored.get(name)
  }

  put(name: string, text: string, now: number): void {
    this.#stored.set(name, text)
    this.#changes.push({ at: now, name, text })
  }

  delete(name: string, now: number): void {
    this.#stored.delete(name)
    this.#changes.push({ at: now, name, text: undefined })
  }

  /** Characters that count against the quota if `name` became `text`: white space is free. */
  sizeWith(name: string, text: string): number {
    const all = new Map(this.#stored).set(name, text)
    return [...all.values()].reduce((sum, policy) => sum + policy.replace(/\s/g, '').length, 0)
  }

  /** The statements authorisation knows of by `now`. */
  effective(now: number): readonly Statement[] {
    while (this.#changes[0] && this.#changes[0].at + this.#propagationMs <= now) {
      const { name, text } = this.#changes[0]
      if (text === undefined) this.#effective.delete(name)
      else this.#effective.set(name, text)
      this.#changes = this.#changes.slice(1)
    }
    return [...this.#effective.values()].flatMap((text) => this.#parse(text))
  }

  #parse(text: string): readonly Statement[] {
    const known = this.#parsed.get(text)
    if (known) return known
    if (this.#parsed.size > 200) this.#parsed.clear()
    const statements = parsePolicy(text, 'identity')
    this.#parsed.set(text, statements)
    return statements
  }
}

/** An identifier of AWS's form: a four-letter kind, then 16 upper-case characters. */
export function newAwsId(kind: 'AKIA' | 'ASIA' | 'AROA' | 'AIDA'): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  return kind + [...randomBytes(16)].map((byte) => alphabet[byte & 31]).join('')
}
