import { z } from 'zod'
import { type IssuerConfig, type MatchConfig, matchSchema } from '../identity/settings.ts'
import { checkMatch } from './identity.ts'
import type { Located, Report } from './report.ts'
import { instant } from './scalar.ts'

/** How a configured caller is known: by a token, by an issuer's evidence, or both. */
export interface Recognition {
  /** Lower-case hex SHA-256 of its token. */
  readonly tokenSha256?: string
  /** Epoch milliseconds; after it the token is refused. */
  readonly expiresAt?: number
  readonly match?: MatchConfig
}

/** The same as written in `mayfly.yaml`. */
export const recognitionFields = {
  token_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits, as mayfly token new prints them')
    .optional(),
  expires_at: instant.optional(),
  match: matchSchema.optional(),
}

export function recognitionOf({
  token_sha256,
  expires_at,
  match,
}: z.output<z.ZodObject<typeof recognitionFields>>): Recognition {
  return {
    ...(token_sha256 === undefined ? {} : { tokenSha256: token_sha256 }),
    ...(expires_at === undefined ? {} : { expiresAt: expires_at }),
    ...(match === undefined ? {} : { match }),
  }
}

export interface RecognitionContext {
  readonly issuers: readonly IssuerConfig[]
  readonly issuerNames: ReadonlySet<string>
  readonly now: number
}

/** Each needs a way to be recognised, and no token is shared. `kind` names them, in the plural. */
export function checkRecognition(
  report: Report,
  { items, kind }: { readonly items: readonly Located<Recognition>[]; readonly kind: string },
  { issuers, issuerNames, now }: RecognitionContext,
): void {
  report.unique(
    items.filter(({ value }) => value.tokenSha256 !== undefined),
    'token_sha256',
    ({ tokenSha256 }) => tokenSha256 ?? '',
  )
  for (const { value, path } of items) {
    const { tokenSha256, match, expiresAt } = value
    if (!tokenSha256 && !match) {
      report.problem(path, 'needs token_sha256 (make one with mayfly token new) or match')
    }
    if (match) {
      checkMatch(report, { match, path: `${path}.match`, issuers, issuerNames })
      const issuer = issuers.find(({ name }) => name === match.issuer)
      if (issuer && 'one_time' in issuer && issuer.one_time) {
        report.warn(`${path}.match.issuer`, `has one_time: such evidence is refused to ${kind}`)
      }
    }
    if (expiresAt !== undefined && !tokenSha256) {
      report.problem(`${path}.expires_at`, 'belongs to a token; there is no token_sha256')
    }
    if (expiresAt !== undefined && expiresAt <= now) {
      report.warn(`${path}.expires_at`, 'is past: this token is refused')
    }
  }
}
