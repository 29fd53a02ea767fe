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

/** How long a change takes to bite, in milliseconds: everywhere alike, or by region. */
export type Propagation = number | ReadonlyMap<string, number>

/** What one region's authorisation knows: all changes before `next`. */
interface Replica {
  readonly effective: Map<string, string>
  next: number
}

/**
 * A role's inline policies as the control plane holds them, and as the authorisation of each region
 * sees them some time later. A region not listed takes as long as the slowest.
 */
export class InlinePolicies {
  readonly #propagation: Propagation
  readonly #initial: Readonly<Record<string, string>>
  readonly #stored = new Map<string, string>()
  readonly #parsed = new Map<string, readonly Statement[]>()
  readonly #replicas = new Map<string, Replica>()
  readonly #changes: Change[] = []

  constructor(propagation: Propagation, initial: Readonly<Record<string, string>>) {
    this.#propagation = propagation
    this.#initial = initial
    for (const [name, text] of Object.entries(initial)) {
      parsePolicy(text, 'identity')
      this.#stored.set(name, text)
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

  /** The statements a region's authorisation knows of by `now`. */
  effective(now: number, region: string): readonly Statement[] {
    const replica = this.#replicaOf(region)
    for (;;) {
      const change = this.#changes[replica.next]
      if (!change || change.at + this.#delayIn(region) > now) break
      const { name, text } = change
      if (text === undefined) replica.effective.delete(name)
      else replica.effective.set(name, text)
      replica.next += 1
    }
    return [...replica.effective.values()].flatMap((text) => this.#parse(text))
  }

  /** One region of each delay there is; the last stands for every region that is not listed. */
  regions(): readonly string[] {
    const listed = typeof this.#propagation === 'number' ? [] : [...this.#propagation.keys()]
    return [...listed, 'elsewhere']
  }

  #delayIn(region: string): number {
    if (typeof this.#propagation === 'number') return this.#propagation
    return this.#propagation.get(region) ?? Math.max(0, ...this.#propagation.values())
  }

  #replicaOf(region: string): Replica {
    const known = this.#replicas.get(region)
    if (known) return known
    const made = { effective: new Map(Object.entries(this.#initial)), next: 0 }
    this.#replicas.set(region, made)
    return made
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
