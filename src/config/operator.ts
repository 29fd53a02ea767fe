import { z } from 'zod'
import { type IssuerConfig, type MatchConfig, matchSchema } from '../identity/settings.ts'
import { configuredName as name } from '../model/name.ts'
import { checkMatch } from './identity.ts'
import type { Report } from './report.ts'
import { instant } from './scalar.ts'

/** The roles the starter policies know; others work only with policies that name them. */
const STARTER_ROLES = ['admin', 'responder', 'approver', 'auditor']

/** A person or automation that administers: known by a token, by an issuer's evidence, or both. */
export interface OperatorConfig {
  readonly name: string
  readonly roles: readonly string[]
  /** `['*']`: all of them. */
  readonly tenants: readonly string[]
  /** Lower-case hex SHA-256 of the operator token. */
  readonly tokenSha256?: string
  /** Epoch milliseconds; after it the token is refused. */
  readonly expiresAt?: number
  readonly match?: MatchConfig
}

const schema = z
  .strictObject({
    name,
    roles: z.array(name).min(1, 'must name at least one role'),
    tenants: z.array(z.union([z.literal('*'), name])).min(1, 'must name a tenant, or "*" for all'),
    token_sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits, as mayfly token new prints them')
      .optional(),
    expires_at: instant.optional(),
    match: matchSchema.optional(),
  })
  .transform(
    ({ token_sha256, expires_at, match, ...raw }): OperatorConfig => ({
      ...raw,
      ...(token_sha256 === undefined ? {} : { tokenSha256: token_sha256 }),
      ...(expires_at === undefined ? {} : { expiresAt: expires_at }),
      ...(match === undefined ? {} : { match }),
    }),
  )

export interface OperatorContext {
  readonly issuers: readonly IssuerConfig[]
  readonly issuerNames: ReadonlySet<string>
  readonly tenants: ReadonlySet<string>
  readonly now: number
}

/** Reads `operators`: each needs a way to be recognised, and no token is shared. */
export function parseOperators(
  report: Report,
  value: unknown,
  { issuers, issuerNames, tenants, now }: OperatorContext,
): OperatorConfig[] {
  const items = report.list(schema, value, 'operators')
  report.unique(items, 'name', (operator) => operator.name)
  report.unique(
    items.filter(({ value }) => value.tokenSha256 !== undefined),
    'token_sha256',
    (operator) => operator.tokenSha256 ?? '',
  )
  for (const { value: operator, path } of items) {
    if (!operator.tokenSha256 && !operator.match) {
      report.problem(path, 'needs token_sha256 (make one with mayfly token new) or match')
    }
    if (operator.match) {
      const { match } = operator
      checkMatch(report, { match, path: `${path}.match`, issuers, issuerNames })
      const issuer = issuers.find(({ name }) => name === match.issuer)
      if (issuer && 'one_time' in issuer && issuer.one_time) {
        report.warn(`${path}.match.issuer`, 'has one_time: such evidence is refused to operators')
      }
    }
    if (operator.expiresAt !== undefined && !operator.tokenSha256) {
      report.problem(`${path}.expires_at`, 'belongs to a token; there is no token_sha256')
    }
    if (operator.expiresAt !== undefined && operator.expiresAt <= now) {
      report.warn(`${path}.expires_at`, 'is past: this token is refused')
    }
    for (const role of operator.roles.filter((r) => !STARTER_ROLES.includes(r))) {
      report.warn(`${path}.roles`, `"${role}" is not one of ${STARTER_ROLES.join(', ')}`)
    }
    for (const tenant of operator.tenants.filter((t) => t !== '*' && !tenants.has(t))) {
      report.warn(`${path}.tenants`, `no agent has the tenant "${tenant}"`)
    }
  }
  return items.map((item) => item.value)
}
