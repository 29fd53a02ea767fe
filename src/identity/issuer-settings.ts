import { z } from 'zod'
import { configuredName } from '../model/name.ts'
import { plainText } from '../model/text.ts'
import { httpsOrLoopback } from './url.ts'

/** Asymmetric signatures only: a public key can never be mistaken for a shared secret. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
/** JWT-SVID §2.1 leaves EdDSA out. */
const SVID_ALGORITHMS = ALGORITHMS.slice(0, 9)

/** Google signs identity tokens as this, with keys on another host. */
export const GOOGLE_ISSUER = 'https://accounts.google.com'
export const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com'

const keyUrl = z
  .string()
  .max(2_048)
  .refine((text) => httpsOrLoopback(text) !== undefined, {
    error: 'must be an https URL (http is accepted on loopback only)',
  })
const reference = z
  .string()
  .regex(/^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, 'must be env:NAME or file:PATH')
const algorithms = z.array(z.enum(ALGORITHMS)).min(1).default(['RS256', 'ES256'])

/** What every kind of issuer says of itself. */
const shared = {
  name: configuredName,
  /** Must be the token's one and only `aud`. */
  audience: plainText(),
  clock_tolerance_seconds: z.int().min(0).max(60).default(30),
  /** Since `iat`, whatever `exp` says. */
  max_age_seconds: z.int().min(1).max(604_800).default(86_400),
}

/** An issuer of OIDC tokens. */
const oidc = z.strictObject({
  ...shared,
  type: z.literal('oidc'),
  /** Must equal the token's `iss` to the character. */
  issuer: keyUrl.refine((url) => url !== GOOGLE_ISSUER, {
    error: 'write type: gcp, which also sees whether the account is one that Mayfly hands out',
  }),
  /** Absent: found by discovery at the issuer, on the issuer's own host. */
  jwks_uri: keyUrl.optional(),
  algorithms,
  /** If set, the token's `typ` header must be this, for example `at+jwt`. */
  typ: plainText(64).optional(),
  /** Accept each token once, by its `jti`. */
  one_time: z.boolean().default(false),
})

/** A cluster that issues service-account tokens. */
const kubernetes = z
  .strictObject({
    ...shared,
    type: z.literal('kubernetes'),
    /** The API server's --service-account-issuer: must equal `iss` to the character. */
    issuer: keyUrl,
    /** Where the issuer's keys can be had without asking the API server. */
    jwks_uri: keyUrl.optional(),
    /** Asked for keys instead of the issuer's own address, which often exists in the cluster only. */
    api_server: z
      .strictObject({ url: keyUrl, ca: reference.optional(), token: reference.optional() })
      .optional(),
    algorithms,
    /** Ask the API server about every token: one whose pod is deleted is refused at once. */
    token_review: z.boolean().default(false),
    /** Refuse tokens that no pod holds, such as those of `kubectl create token`. */
    pod_bound: z.boolean().default(true),
  })
  .refine((issuer) => !(issuer.token_review && issuer.api_server?.token === undefined), {
    path: ['token_review'],
    error: 'needs api_server: {url, token}, with the token of an account that may review tokens',
  })
  .refine((issuer) => issuer.audience !== issuer.issuer, {
    path: ['audience'],
    error: 'must be one of its own: every pod holds a token for the API server',
  })
  .refine((issuer) => !(issuer.jwks_uri !== undefined && issuer.api_server !== undefined), {
    path: ['jwks_uri'],
    error: 'is not used where keys come from api_server; leave one of them out',
  })

const trustDomain = z
  .string()
  .max(255)
  .regex(/^[a-z0-9._-]+$/, 'must be a trust domain such as corp.example, without spiffe://')

/** A SPIFFE trust domain whose workloads show JWT-SVIDs. */
const spiffe = z.strictObject({
  ...shared,
  type: z.literal('spiffe'),
  trust_domain: trustDomain,
  /** The trust bundle: a bundle endpoint (https_web) or `file:PATH`. */
  bundle: z.string().refine((text) => text.startsWith('file:') || httpsOrLoopback(text), {
    error: 'must be an https URL or file:PATH of the trust domain’s bundle',
  }),
  /** The authority that signed the endpoint's certificate, where the public ones did not. */
  bundle_ca: reference.optional(),
  algorithms: z.array(z.enum(SVID_ALGORITHMS)).min(1).default(['RS256', 'ES256']),
})

/** A SPIFFE trust domain whose workloads show X.509-SVIDs as the certificate of their connection. */
const spiffeX509 = z.strictObject({
  name: configuredName,
  type: z.literal('spiffe-x509'),
  trust_domain: trustDomain,
  /** The certificates of its authorities, in PEM; read anew with every reload. */
  bundle: z
    .string()
    .regex(/^file:.+$/, 'must be file:PATH of the trust domain’s authorities (PEM)'),
})

/** GitHub's workflows. Anyone's workflow gets a token for any audience: whose is what counts. */
const githubActions = z.strictObject({
  ...shared,
  audience: shared.audience.refine((audience) => !audience.startsWith('https://github.com/'), {
    error: 'must be one of its own: GitHub gives this one to jobs that ask for none',
  }),
  type: z.literal('github-actions'),
  /** Only GitHub Enterprise has another: https://HOST/_services/token. */
  issuer: keyUrl.default(GITHUB_ISSUER),
  /** Ids, as names can be registered anew: `gh api users/OWNER --jq .id`. */
  owner_ids: z
    .array(z.string().regex(/^\d{1,20}$/, 'must be a numeric id, in quotes'))
    .min(1)
    .max(100),
  one_time: z.boolean().default(true),
})

/** Identity tokens of Google service accounts, from a metadata server or IAM Credentials. */
const gcp = z.strictObject({
  ...shared,
  type: z.literal('gcp'),
  /** Only where Google is reached through a mirror. */
  jwks_uri: keyUrl.default('https://www.googleapis.com/oauth2/v3/certs'),
})

export const issuerSchema = z.discriminatedUnion('type', [
  oidc,
  kubernetes,
  spiffe,
  spiffeX509,
  githubActions,
  gcp,
])
export type IssuerConfig = z.output<typeof issuerSchema>
export type IssuerConfigOf<Type extends IssuerConfig['type']> = Extract<
  IssuerConfig,
  { type: Type }
>

/** Those whose workloads show tokens. */
export type TokenIssuerConfig = Exclude<IssuerConfig, { type: 'spiffe-x509' }>

/** Who signs, as a URL: what `iss` must be, or the trust domain of a SPIFFE ID. */
export function issuerUrl(config: IssuerConfig): string {
  if ('trust_domain' in config) return `spiffe://${config.trust_domain}`
  return config.type === 'gcp' ? GOOGLE_ISSUER : config.issuer
}
