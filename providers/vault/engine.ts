/**
 * What ending a secret of each engine really does. Vault says "revoked" for all of them; only some
 * of their secrets then stop working. Sources: each engine's page in the Vault and OpenBao
 * documentation, and its revoke function in OpenBao 2.6.2.
 */
import type { Revocability } from '../../src/model/lease.ts'
import type { DynamicTarget } from './settings.ts'

export interface Engine {
  /** How its secret is asked for. */
  readonly reads: 'read' | 'update'
  readonly revocability: Revocability
  /**
   * How long a revocation that Vault answered takes to bite, as a rule. No bound is stated that holds
   * however the other side is set up, so `exposed_until` never rests on it.
   */
  readonly propagation?: { readonly typicalSeconds: number; readonly worstSeconds: number }
  /** Whether Vault's having forgotten the lease shows that the secret is dead. */
  readonly proof: 'lookup' | 'expiry'
  readonly residuals: readonly string[]
  /** The shortest life the engine's own upstream gives, in seconds. */
  readonly floorSeconds: number
  /** Whether the answer to a read carries a Vault lease. */
  readonly leased: boolean
  /** Whether the life is asked for in the call; else the Vault lease is shortened after it. */
  readonly asksLife: boolean
  /** How much longer than its Vault lease, and than the end it states itself, the secret may live. */
  readonly graceMs: number
}

/** What survives the end of a database user: a session it opened before. */
const OPEN_DATABASE_SESSION = 'open-database-session'
/** A value that was there before and stays: reading it makes nothing ephemeral. */
const STATIC_SECRET = 'static-secret'
/** Who does not look into the revocation list goes on trusting a certificate. */
const UNCHECKED_CERTIFICATE = 'unchecked-certificate'
/** Who verifies a service account's token without asking its cluster goes on trusting it. */
const OFFLINE_SERVICE_ACCOUNT_TOKEN = 'offline-service-account-token'
/** Sessions that an AWS credential assumed before its end live their own time. */
const ASSUMED_SESSIONS = 'assumed-sessions'
/** AWS lets no access key expire: until Vault has deleted its user and all of AWS heard, it works. */
const UNEXPIRING_ACCESS_KEY = 'unexpiring-access-key'
/** sshd asks at login only. */
const OPEN_SSH_SESSION = 'open-ssh-session'

/** The engine writes `VALID UNTIL` this much after the lease's end (seen with PostgreSQL 15). */
const DATABASE_GRACE_MS = 5_000
/** The Kubernetes API gives no token a shorter life (TokenRequest v1). */
const SERVICE_ACCOUNT_FLOOR_SECONDS = 600
/**
 * How long an API server by default takes a token after its `exp`, and after a deletion that a
 * finalizer holds up: a minute (`jwt.DefaultLeeway` in kubernetes `pkg/serviceaccount/claims.go`; so
 * says "Managing Service Accounts" of deletions), and what its token cache believes (10 s).
 */
const API_SERVER_SECONDS = 60 + 10
/** STS gives no session a shorter life. */
const STS_FLOOR_SECONDS = 900
/**
 * IAM is eventually consistent and caches; its user guide ("Changes that I make are not always
 * immediately visible") names no bound. That it never is this long in practice is what the authors
 * of Vault's engine say (`builtin/logical/aws/path_user.go`); others measured 3 to 4 s.
 */
const IAM_SECONDS = 300

/** The life is asked for, and nothing ends it sooner. */
const EXPIRES: Omit<Engine, 'leased' | 'residuals'> = {
  reads: 'update',
  revocability: 'expiry',
  proof: 'expiry',
  floorSeconds: 2,
  asksLife: true,
  graceMs: 0,
}

const SERVICE_ACCOUNT_TOKEN: Omit<Engine, 'residuals'> = {
  ...EXPIRES,
  floorSeconds: SERVICE_ACCOUNT_FLOOR_SECONDS,
  leased: true,
  graceMs: API_SERVER_SECONDS * 1_000,
}

export function engineOf(target: DynamicTarget): Engine {
  switch (target.engine) {
    case 'database':
      return {
        ...ENDED_AT_ONCE,
        reads: 'read',
        residuals: [OPEN_DATABASE_SESSION],
        graceMs: DATABASE_GRACE_MS,
      }
    case 'ssh':
      // A one-time password is deleted; a certificate has no lease and no way back.
      return target.path.includes('/creds/')
        ? { ...ENDED_AT_ONCE, reads: 'update', residuals: [OPEN_SSH_SESSION] }
        : { ...EXPIRES, leased: false, residuals: [OPEN_SSH_SESSION] }
    case 'pki':
      // Revoking adds a line to a list that only some look at: never more than `enforced`.
      return target.leased
        ? {
            ...EXPIRES,
            revocability: 'propagating',
            propagation: { typicalSeconds: CRL_SECONDS, worstSeconds: CRL_WORST_SECONDS },
            leased: true,
            residuals: [UNCHECKED_CERTIFICATE],
          }
        : { ...EXPIRES, leased: false, residuals: [] }
    case 'kubernetes':
      // What the engine did not create it does not delete: such a token lives to its `exp`. So does
      // any in a cluster that does not look accounts up (`--service-account-lookup=false`).
      return target.service_account === 'generated'
        ? {
            ...SERVICE_ACCOUNT_TOKEN,
            revocability: 'propagating',
            propagation: { typicalSeconds: 10, worstSeconds: API_SERVER_SECONDS },
            residuals: [OFFLINE_SERVICE_ACCOUNT_TOKEN],
          }
        : { ...SERVICE_ACCOUNT_TOKEN, residuals: [] }
    case 'aws':
      return target.credential === 'iam_user'
        ? {
            ...ENDED_AT_ONCE,
            reads: 'read',
            revocability: 'propagating',
            propagation: { typicalSeconds: 4, worstSeconds: IAM_SECONDS },
            proof: 'expiry',
            residuals: [ASSUMED_SESSIONS, UNEXPIRING_ACCESS_KEY],
            graceMs: IAM_SECONDS * 1_000,
          }
        : {
            ...EXPIRES,
            floorSeconds: STS_FLOOR_SECONDS,
            leased: true,
            residuals: [ASSUMED_SESSIONS],
          }
    case 'kv':
      return {
        ...EXPIRES,
        reads: 'read',
        asksLife: false,
        leased: false,
        residuals: [STATIC_SECRET],
      }
  }
}

const ENDED_AT_ONCE: Omit<Engine, 'reads' | 'residuals'> = {
  revocability: 'immediate',
  proof: 'lookup',
  floorSeconds: 2,
  leased: true,
  asksLife: false,
  graceMs: 0,
}

/** A client that checks asks again about hourly; a list of the engine's default stays valid 72 h. */
const CRL_SECONDS = 3_600
const CRL_WORST_SECONDS = 72 * 3_600
