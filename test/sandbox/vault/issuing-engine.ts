/**
 * The engines whose revocation is not what it sounds like: `pki/`, `kubernetes/`, `aws/`, `ssh/`.
 * The ledger hears what a relying party would still honour, which is not what Vault says of it.
 */
import { randomBytes } from 'node:crypto'
import type { Answer } from '../faults.ts'
import { fingerprint, type Ledger } from '../ledger.ts'
import { type Exchange, noContent, ok, seconds, text, VaultRefusal } from './exchange.ts'
import type { LeaseStore } from './lease-store.ts'
import type { Token } from './token-store.ts'

export const ISSUING_MOUNTS = ['pki', 'kubernetes', 'aws', 'ssh'] as const
type Mount = (typeof ISSUING_MOUNTS)[number]

/** What a role's reading makes, and how much of it an end takes away. */
interface Issued {
  readonly secret: string
  readonly data: Readonly<Record<string, unknown>>
  readonly lifeSeconds: number
  readonly leased: boolean
  readonly revocable: boolean
}

const VERBS: Readonly<Record<Mount, readonly string[]>> = {
  pki: ['issue', 'sign'],
  kubernetes: ['creds'],
  aws: ['creds', 'sts'],
  ssh: ['creds', 'sign'],
}
/** Each engine says it in its own words (OpenBao 2.6.2). */
const UNKNOWN_ROLE: Readonly<Record<Mount, (name: string) => string>> = {
  pki: (name) => `unknown role: ${name}`,
  kubernetes: (name) => `role '${name}' does not exist`,
  aws: (name) => `Role '${name}' not found`,
  ssh: (name) => `Role "${name}" not found`,
}
/** Never shorter, whatever is asked: the Kubernetes API's and STS's own floors. */
const KUBERNETES_FLOOR = 600
const STS_FLOOR = 900
/** How long after its `exp` an API server may still take a token: a minute, and its cache. */
const KUBERNETES_LEEWAY_MS = 70_000
const DEFAULT_TTL = 3_600

export class IssuingEngine {
  readonly #roles = new Map<string, Readonly<Record<string, unknown>>>()
  readonly #leases: LeaseStore
  readonly #ledger: Ledger
  readonly #now: () => number
  /** What relying parties were told to refuse. */
  readonly #dead = new Set<string>()
  readonly #ends = new Map<string, number>()

  constructor(options: { leases: LeaseStore; ledger: Ledger; now: () => number }) {
    this.#leases = options.leases
    this.#ledger = options.ledger
    this.#now = options.now
  }

  handle(exchange: Exchange, token: Token): Answer {
    const { operation, path, data } = exchange
    const [mount = '', verb = '', name = ''] = path.split('/')
    const known = ISSUING_MOUNTS.find((one) => one === mount)
    if (!known) throw new VaultRefusal(404, 'unsupported path')
    if (verb === 'roles') {
      if (operation !== 'create' && operation !== 'update') throw new VaultRefusal(405)
      this.#roles.set(`${mount}/${name}`, data)
      return noContent()
    }
    if (!VERBS[known].includes(verb)) throw new VaultRefusal(404, 'unsupported path')
    if (operation === 'read' && known !== 'aws')
      throw new VaultRefusal(405, 'unsupported operation')
    const role = this.#roles.get(`${mount}/${name}`)
    if (!role) throw new VaultRefusal(400, UNKNOWN_ROLE[known](name))
    return this.#issue(path, { token, issued: this.#made({ mount: known, verb, role, data }) })
  }

  /** Whether a relying party that asks, as far as its kind can, still takes this secret. */
  honours(secret: string): boolean {
    return !this.#dead.has(secret) && (this.#ends.get(secret) ?? 0) > this.#now()
  }

  #issue(path: string, made: { token: Token; issued: Issued }): Answer {
    const { token, issued } = made
    const { secret, lifeSeconds, leased, revocable } = issued
    const at = this.#now()
    const leeway = path.startsWith('kubernetes/') ? KUBERNETES_LEEWAY_MS : 0
    const end = at + lifeSeconds * 1_000 + leeway
    this.#ends.set(secret, end)
    this.#ledger.mint({
      upstream: 'vault',
      fingerprint: fingerprint(secret),
      name: token.policies.find((policy) => policy.startsWith('mf-')),
      at,
      nativeExpiresAt: end,
      works: () => this.honours(secret),
    })
    if (!leased) return ok({ data: issued.data })
    const lease = this.#leases.register({
      path,
      token: token.id,
      ttlSeconds: lifeSeconds,
      maxTtlSeconds: lifeSeconds,
      // The engine can prolong the lease of an IAM user's keys, and of nothing else here.
      renewable: path.startsWith('aws/') && revocable,
      end: () => {
        if (revocable) this.#dead.add(secret)
      },
      extend: () => {},
    })
    return ok({ lease_id: lease.id, lease_duration: lifeSeconds, data: issued.data })
  }

  #made(wish: {
    mount: Mount
    verb: string
    role: Readonly<Record<string, unknown>>
    data: Readonly<Record<string, unknown>>
  }): Issued {
    const { mount, verb, role, data } = wish
    const secret = randomBytes(20).toString('base64url')
    const asked = seconds(data, 'ttl') ?? seconds(role, 'default_ttl') ?? DEFAULT_TTL
    switch (mount) {
      case 'pki': {
        if (!text(data, 'common_name')) {
          throw new VaultRefusal(400, 'the common_name field is required')
        }
        const expiration = Math.floor(this.#now() / 1_000) + asked
        return {
          secret,
          data: { private_key: secret, certificate: `cert of ${secret.slice(0, 8)}`, expiration },
          lifeSeconds: asked,
          leased: role.generate_lease === true,
          // Somebody who does not look into the list honours it to its end.
          revocable: false,
        }
      }
      case 'kubernetes': {
        const lifeSeconds = Math.max(asked, KUBERNETES_FLOOR)
        const exp = Math.floor(this.#now() / 1_000) + lifeSeconds
        const jwt = `e30.${Buffer.from(JSON.stringify({ exp })).toString('base64url')}.${secret}`
        return {
          secret: jwt,
          data: { service_account_name: 'agent', service_account_token: jwt },
          lifeSeconds,
          leased: true,
          revocable: role.service_account_name === undefined,
        }
      }
      case 'aws': {
        const user = role.credential_type === 'iam_user'
        return {
          secret,
          data: { access_key: 'AKIASANDBOX', secret_key: secret, security_token: null },
          lifeSeconds: user ? asked : Math.max(asked, STS_FLOOR),
          leased: true,
          revocable: user,
        }
      }
      case 'ssh': {
        const otp = verb === 'creds'
        const key = otp ? { key_type: 'otp', key: secret } : { signed_key: secret }
        return { secret, data: key, lifeSeconds: asked, leased: otp, revocable: otp }
      }
    }
  }
}
