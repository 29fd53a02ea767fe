import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A stretch of characters that secrets are made of. */
const RUN = /[A-Za-z0-9+/=_.~-]{16,}/g

/** Secrets that must be found nowhere, and the places that were searched for them (P2). */
export class SecretSearch {
  readonly #needles: Needles
  readonly #fingerprints: ReadonlySet<string>
  readonly #lengths: ReadonlySet<number>
  /** Stretches that hold nothing of those: most stand in many places. */
  readonly #clean = new Set<string>()
  readonly found: string[] = []
  /** Bytes searched, by place: a search of nothing proves nothing. */
  readonly searched = new Map<string, number>()

  /**
   * `fingerprints` are SHA-256 of secrets nobody was told, for example of a mint whose answer was
   * lost; they are recognised by hashing whatever in a place is as long as a secret of `lengths`.
   */
  constructor(options: {
    readonly secrets: readonly string[]
    readonly fingerprints?: Iterable<string>
    readonly lengths?: Iterable<number>
  }) {
    this.#needles = new Needles(
      [...new Set(options.secrets)].flatMap((secret) =>
        [...new Set(formsOf(secret))].map((as) => ({ secret, as: Buffer.from(as) })),
      ),
    )
    this.#fingerprints = new Set(options.fingerprints)
    this.#lengths = new Set(options.lengths)
  }

  /** Searches every file below `dir`, open databases included. */
  files(dir: string): void {
    const entries = readdirSync(dir, { recursive: true, withFileTypes: true })
    for (const entry of entries.filter((one) => one.isFile())) {
      this.place(entry.name, readFileSync(join(entry.parentPath, entry.name)))
    }
  }

  place(name: string, content: string | Buffer): void {
    const bytes = Buffer.from(content)
    this.searched.set(name, (this.searched.get(name) ?? 0) + bytes.length)
    for (const secret of this.#needles.in(bytes)) {
      this.found.push(`${name} holds ${secret.slice(0, 6)}…`)
    }
    if (this.#fingerprints.size > 0) this.#untold(name, bytes)
  }

  #untold(name: string, bytes: Buffer): void {
    for (const [run] of bytes.toString('latin1').matchAll(RUN)) {
      if (this.#clean.has(run)) continue
      if (this.#holdsOne(run)) this.found.push(`${name} holds a secret told to nobody`)
      else this.#clean.add(run)
    }
  }

  #holdsOne(run: string): boolean {
    for (const length of this.#lengths) {
      for (let at = 0; at + length <= run.length; at += 1) {
        const digest = hash('sha256', run.slice(at, at + length), 'hex')
        if (this.#fingerprints.has(digest)) return true
      }
    }
    return false
  }
}

interface Needle {
  readonly secret: string
  readonly as: Buffer
}

/** What begins with these many bytes is told apart by them. */
const HEAD = 8

/** Finds any of many thousands in one pass. */
class Needles {
  readonly #short: readonly Needle[]
  readonly #byHead: ReadonlyMap<string, readonly Needle[]>
  /** Which three bytes one of them begins with. */
  readonly #starts = new Uint8Array(1 << 24)

  constructor(needles: readonly Needle[]) {
    this.#short = needles.filter(({ as }) => as.length < HEAD)
    this.#byHead = Map.groupBy(
      needles.filter(({ as }) => as.length >= HEAD),
      ({ as }) => as.toString('latin1', 0, HEAD),
    )
    for (const [{ as } = { as: Buffer.alloc(3) }] of this.#byHead.values()) {
      this.#starts[as.readUIntBE(0, 3)] = 1
    }
  }

  /** The secrets that are in there, each once. */
  in(bytes: Buffer): ReadonlySet<string> {
    const found = new Set<string>()
    for (const { secret, as } of this.#short) if (bytes.includes(as)) found.add(secret)
    let three = 0
    for (let at = 0; at < bytes.length; at += 1) {
      three = ((three << 8) | (bytes[at] ?? 0)) & 0xffffff
      if (this.#starts[three] !== 1 || at < 2) continue
      const from = at - 2
      const heads = this.#byHead.get(bytes.toString('latin1', from, from + HEAD)) ?? []
      for (const { secret, as } of heads) {
        if (bytes.subarray(from, from + as.length).equals(as)) found.add(secret)
      }
    }
    return found
  }
}

/** As it is, and as it may end up in text. */
function formsOf(secret: string): string[] {
  const base64 = Buffer.from(secret).toString('base64').replace(/=+$/, '')
  return [
    secret,
    base64,
    Buffer.from(secret).toString('base64url'),
    Buffer.from(secret).toString('hex'),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ]
}
