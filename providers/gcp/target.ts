import { z } from 'zod'

/** The scope that Credential Access Boundaries require of their source token. */
export const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'

/** https://cloud.google.com/iam/docs/service-account-types: user-managed and default accounts. */
const email = z
  .string()
  .max(320)
  .regex(
    /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.gserviceaccount\.com$/,
    'must be the email of a service account',
  )
const project = z.string().regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/, 'must be a project id')
const scope = z.string().regex(/^https:\/\/www\.googleapis\.com\/auth\/[a-z0-9._-]+$/)
const scopes = z.array(scope).min(1).max(20)

/**
 * Accounts over which the mint identity reaches the target's: each may make tokens of the next. They
 * are never lent themselves, because whoever holds a token of one can make tokens of what follows.
 * https://cloud.google.com/iam/docs/create-short-lived-credentials-delegated
 */
const delegates = z
  .array(email)
  .min(1)
  .max(10)
  .refine((emails) => new Set(emails).size === emails.length, 'must not name an account twice')

/** A pool: each lease has one of the accounts for itself, which is what makes it revocable. */
const pool = z.strictObject({
  service_accounts: z
    .array(email)
    .min(1)
    .max(1_000)
    .refine((emails) => new Set(emails).size === emails.length, 'must not name an account twice'),
  project: project.optional(),
  scopes: scopes.optional(),
  delegates: delegates.optional(),
})

/** One account for all leases: they end by expiry only, which `shared: true` acknowledges. */
const shared = z.strictObject({
  service_account: email,
  shared: z.literal(true),
  project: project.optional(),
  scopes: scopes.optional(),
  delegates: delegates.optional(),
})

export const target = z.union([pool, shared]).refine(isApartFromDelegates, {
  path: ['delegates'],
  message: 'must not name an account that is lent',
})
export type Target = z.infer<typeof target>
export type Pool = z.infer<typeof pool>

function isApartFromDelegates(candidate: z.infer<typeof pool> | z.infer<typeof shared>): boolean {
  const lent = 'shared' in candidate ? [candidate.service_account] : candidate.service_accounts
  return !candidate.delegates?.some((one) => lent.includes(one))
}

export function isPool(candidate: Target): candidate is Pool {
  return 'service_accounts' in candidate
}

/** Every account a target draws on. */
export function accountsOf(candidate: Target): readonly string[] {
  return isPool(candidate) ? candidate.service_accounts : [candidate.service_account]
}

/** The account one lease uses; undefined where its slot is not, or no longer, of this pool. */
export function accountOf(candidate: Target, slot: string | null): string | undefined {
  if (!isPool(candidate)) return candidate.service_account
  return candidate.service_accounts.find((member) => member === slot)
}

/** The account's resource name in IAM v1; `-` lets Google find the project by the email. */
export function resourceName(candidate: Target, account: string): string {
  return `projects/${candidate.project ?? '-'}/serviceAccounts/${encodeURIComponent(account)}`
}
