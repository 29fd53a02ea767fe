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
  /** How long a revocation that Vault answered may take to bite, where it does at all. */
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
  /** How much longer than its Vault lease the secret may live. */
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
/** sshd asks at login only. */
const OPEN_SSH_SESSION = 'open-ssh-session'

/** The engine writes `VALID UNTIL` this much after the lease's end (seen with PostgreSQL 15). */
const DATABASE_GRACE_MS = 5_000
/** The Kubernetes API gives no token a shorter life (TokenRequest v1). */
const SERVICE_ACCOUNT_FLOOR_SECONDS = 600
/** STS gives no session a shorter life. */
const STS_FLOOR_SECONDS = 900

/** The life is asked for, and nothing ends it sooner. */
const EXPIRES: Omit<Engine, 'leased' | 'residuals'> = {
  reads: 'update',
  revocability: 'expiry',
  proof: 'expiry',
  floorSeconds: 2,
  asksLife: true,
  graceMs: 0,
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
      // What the engine did not create it does not delete: such a token lives to its `exp`.
      return target.service_account === 'generated'
        ? {
            ...EXPIRES,
            revocability: 'propagating',
            propagation: { typicalSeconds: 10, worstSeconds: 60 },
            floorSeconds: SERVICE_ACCOUNT_FLOOR_SECONDS,
            leased: true,
            residuals: [OFFLINE_SERVICE_ACCOUNT_TOKEN],
          }
        : { ...EXPIRES, floorSeconds: SERVICE_ACCOUNT_FLOOR_SECONDS, leased: true, residuals: [] }
    case 'aws':
      return target.credential === 'iam_user'
        ? {
            ...ENDED_AT_ONCE,
            reads: 'read',
            revocability: 'propagating',
            propagation: { typicalSeconds: 4, worstSeconds: 300 },
            proof: 'expiry',
            residuals: [ASSUMED_SESSIONS],
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
