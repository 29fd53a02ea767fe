import { createHash } from 'node:crypto'

/** A credential the sandbox gave out, known to it alone: the oracle for P1 and P6. */
export interface MintRecord {
  readonly upstream: 'aws' | 'vault' | 'gcp' | 'jwt'
  /** SHA-256 of the secret part, so that the ledger itself leaks nothing. */
  readonly fingerprint: string
  /** The upstream name it was minted under (`mf-…`), as far as the request said one. */
  readonly name: string | undefined
  readonly at: number
  readonly nativeExpiresAt: number
  /** Tells, now, whether the sandbox would still honour it for anything. */
  works(): boolean
}

export interface UseRecord {
  readonly upstream: 'aws' | 'vault' | 'gcp' | 'jwt'
  readonly fingerprint: string
  readonly at: number
  readonly operation: string
  readonly allowed: boolean
  readonly reason: string
}

/** What really happened at the upstreams, written by them and never read by the broker. */
export class Ledger {
  readonly minted: MintRecord[] = []
  readonly uses: UseRecord[] = []

  mint(record: MintRecord): void {
    this.minted.push(record)
  }

  use(record: UseRecord): void {
    this.uses.push(record)
  }

  /** The latest instant at which a credential of this name was honoured, if ever. */
  lastAllowedUse(name: string): number | undefined {
    const prints = new Set(this.minted.filter((m) => m.name === name).map((m) => m.fingerprint))
    return this.uses.findLast((use) => use.allowed && prints.has(use.fingerprint))?.at
  }

  /** Credentials that would still be honoured now. */
  working(): readonly MintRecord[] {
    return this.minted.filter((record) => record.works())
  }
}

export function fingerprint(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
