import type { JWTPayload, JWTVerifyGetKey } from 'jose'
import type { TokenIssuerConfig } from './issuer-settings.ts'
import type { Workload } from './workload.ts'

/** One configured issuer, ready to check evidence: what its kind adds to the checks all share. */
export interface Issuer {
  readonly config: TokenIssuerConfig
  readonly keys: JWTVerifyGetKey
  readonly rules: TokenRules
  /** Why a header is not one of this kind; absent: any that `readToken` accepts is. */
  headerProblem?(header: Readonly<Record<string, unknown>>): string | undefined
  /** Reads the verified claims as this kind writes them, or says why it does not accept them. */
  read(claims: JWTPayload): KindFacts | string
  /**
   * Asks the issuer itself whether it still stands by verified evidence; absent where it cannot
   * be asked. Returns the reason of a refusal; throws `unavailable` where there is no answer.
   */
  confirm?(token: string, workload: Workload): Promise<string | undefined>
}

export interface TokenRules {
  readonly algorithms: readonly string[]
  /** What `iss` must be; absent: the kind does not use it. */
  readonly iss?: string
  /** What the `typ` header must be. */
  readonly typ?: string
  /** `iat` may be absent: then `exp` alone bounds the age. */
  readonly undated?: true
  readonly oneTime: boolean
}

export interface KindFacts {
  /** Short names for claims of this kind, beside the claims themselves. */
  readonly names: Readonly<Record<string, string>>
  /** Tells running copies of one workload apart; null where the evidence does not. */
  readonly instance: string | null
}

export const NO_FACTS: KindFacts = { names: {}, instance: null }
