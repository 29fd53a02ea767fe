import { createHash } from 'node:crypto'
import { fingerprint, type Ledger } from '../sandbox/ledger.ts'

export const OWN_AUDIENCE = 'https://tickets.example'
const NAME = 'tickets'
/** How it shows the broker who asks. */
export const OWN_SECRET = `mfr_${Buffer.alloc(32, 0x42).toString('base64url')}`

/**
 * An API that lets in whoever shows a token of the broker that introspection calls active, and
 * nobody while it cannot ask. It writes down what it was shown and what it let in.
 */
export class OwnApi {
  readonly #ledger: Ledger
  #url = ''

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** Its entry in `resource_servers`. */
  get configured(): object {
    const token_sha256 = createHash('sha256').update(OWN_SECRET).digest('hex')
    return { name: NAME, audiences: [OWN_AUDIENCE], tenants: ['*'], token_sha256 }
  }

  /** Where it asks from now on. */
  at(url: string): void {
    this.#url = url
  }

  /** How the holder of this token uses it. */
  holding(token: string, name: string): () => Promise<boolean> {
    const print = fingerprint(token)
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    const nativeExpiresAt = Number(exp) * 1_000
    this.#ledger.mint({
      ...{ upstream: 'jwt', fingerprint: print, name, at: Date.now(), nativeExpiresAt },
      works: () => false, // only the broker can tell, and is asked by whoever uses it
    })
    return async () => {
      const at = Date.now()
      const allowed = await this.#asks(token)
      const use = { operation: 'introspect', reason: allowed ? 'active' : 'inactive' }
      this.#ledger.use({ upstream: 'jwt', fingerprint: print, at, allowed, ...use })
      return allowed
    }
  }

  async #asks(token: string): Promise<boolean> {
    const answer = await fetch(`${this.#url}/oauth2/introspect`, {
      method: 'POST',
      body: new URLSearchParams({ token }),
      headers: {
        authorization: `Basic ${Buffer.from(`${NAME}:${OWN_SECRET}`).toString('base64')}`,
      },
    }).catch(() => undefined)
    const said = await answer?.json().catch(() => undefined)
    return said !== null && typeof said === 'object' && 'active' in said && said.active === true
  }
}
