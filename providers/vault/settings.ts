/** What `providers.<name>` and an entitlement's `target` may say for Vault. */
import { z } from 'zod'
import { parseDuration } from '../../src/duration.ts'
import { isPlain, parsePath, pathProblem } from './path-pattern.ts'

const reference = z
  .string()
  .regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*)$/, 'must be env:NAME or file:PATH')
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'must be a plain name')
const mountPath = z
  .string()
  .refine((text) => isMount(text), 'must be a mount path without leading or trailing slash')
const duration = z.string().transform((text, context) => {
  const seconds = parseDuration(text)
  if (seconds !== undefined && seconds > 0) return seconds
  context.addIssue({ code: 'custom', message: 'must be a duration such as 90s, 15m or 1h30m' })
  return z.NEVER
})

const auth = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('token'), token: reference }),
  z.strictObject({
    method: z.literal('approle'),
    mount: mountPath.default('approle'),
    role_id: z.string().min(1),
    secret_id: reference,
  }),
  z.strictObject({
    method: z.literal('kubernetes'),
    mount: mountPath.default('kubernetes'),
    role: name,
    token_file: z.string().default('/var/run/secrets/kubernetes.io/serviceaccount/token'),
  }),
  z.strictObject({
    method: z.literal('jwt'),
    mount: mountPath.default('jwt'),
    role: name,
    jwt: reference,
  }),
])

export const settingsSchema = z.strictObject({
  type: z.literal('vault'),
  /** https, or http on loopback. */
  address: z.string().refine(isSafeAddress, 'must be an https address (http only on loopback)'),
  namespace: z
    .string()
    .regex(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*\/?$/, 'must be a namespace path')
    .optional(),
  /** A PEM file with the authority that signed Vault's certificate. */
  ca: reference.optional(),
  /** The identity that mints, and ends too where `revoke_auth` is absent. */
  auth,
  revoke_auth: auth.optional(),
  token_role: name.default('mayfly'),
  /** Mounts that hold plain data and make neither leases nor tokens: the only ones for `token`. */
  mounts: z.record(mountPath, z.enum(['kv', 'transit'])).default({}),
  /** The longest life of one lease through all its renewals; Vault itself enforces it. */
  max_lifetime: duration.default(28_800),
  /** How long one call to Vault may take. */
  timeout: duration.default(5),
})

const dynamic = { kind: z.literal('dynamic') }
/** What a call that makes a secret says besides how long it shall live: that is Mayfly's part. */
const parameters = z
  .record(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/), z.string().min(1).max(8_192))
  .refine(
    (given) => !Object.keys(given).some((name) => LIFE_PARAMETERS.has(name)),
    'must not say how long it lives: a lease does',
  )
  .default({})

/** Each target names the engine at its path, since the engine decides what an end can do. */
const dynamicTarget = z.discriminatedUnion('engine', [
  z.strictObject({ ...dynamic, engine: z.literal('database'), path: rolePath('creds') }),
  z.strictObject({
    ...dynamic,
    engine: z.literal('pki'),
    path: rolePath('issue|sign'),
    /** The role has `generate_lease`: an end puts the certificate on the revocation list. */
    leased: z.boolean().default(false),
    parameters,
  }),
  z.strictObject({
    ...dynamic,
    engine: z.literal('kubernetes'),
    path: rolePath('creds'),
    /** `existing`: the role has `service_account_name`, which no end takes away. */
    service_account: z.enum(['existing', 'generated']),
    parameters,
  }),
  z.strictObject({
    ...dynamic,
    engine: z.literal('aws'),
    path: rolePath('creds|sts'),
    /** The `credential_type` of the role. */
    credential: z.enum(['iam_user', 'assumed_role', 'federation_token', 'session_token']),
  }),
  z.strictObject({
    ...dynamic,
    engine: z.literal('ssh'),
    /** `creds`: a one-time password; `sign`: a certificate. */
    path: rolePath('creds|sign'),
    parameters,
  }),
  z.strictObject({ ...dynamic, engine: z.literal('kv'), path: valuePath() }),
])

export const targetSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('token') }),
  dynamicTarget,
])

export type Settings = z.output<typeof settingsSchema>
export type Auth = Settings['auth']
export type Target = z.output<typeof targetSchema>
export type DynamicTarget = z.output<typeof dynamicTarget>

const LIFE_PARAMETERS = new Set(['ttl', 'not_after', 'not_before', 'not_before_duration'])

function rolePath(verbs: string) {
  const verb = verbs.split('|')[0]
  const shape = new RegExp(`^[^+*]+/(${verbs})/[^/+*]+$`)
  return z
    .string()
    .refine(
      (text) => pathProblem(text) === undefined && shape.test(text),
      `must name one role, such as mount/${verb}/readonly`,
    )
}

function valuePath() {
  return z.string().refine((text) => {
    if (pathProblem(text) !== undefined || !isPlain(parsePath(text))) return false
    return /^[^/]+(\/[^/]+)+$/.test(text) && !isReservedMount(text)
  }, 'must name one value, such as secret/data/app/key')
}

/** Never plain data, whatever an operator calls them. */
const RESERVED_MOUNTS = new Set(['auth', 'sys', 'identity', 'cubbyhole'])

function isMount(text: string): boolean {
  return pathProblem(text) === undefined && isPlain(parsePath(text)) && !text.endsWith('/')
}

export function isReservedMount(mount: string): boolean {
  return RESERVED_MOUNTS.has(mount.split('/')[0] ?? '')
}

function isSafeAddress(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const bare = url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (!bare || url.pathname !== '/') return false
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
}
