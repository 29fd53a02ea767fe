import { z } from 'zod'

/** Where a secret is found; the value itself never stands in the configuration. */
const secretReference = z
  .string()
  .regex(/^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, 'must be env:NAME or file:PATH')

const credentials = z.strictObject({
  access_key_id: z.string().regex(/^\w{16,128}$/, 'must be an AWS access key id'),
  secret_access_key: secretReference,
  session_token: secretReference.optional(),
})

/** AssumeRole answers carry secrets: plain http stays on this machine. */
const endpoint = z
  .url({ protocol: /^https?$/ })
  .refine((url) => url.startsWith('https:') || LOOPBACK.test(new URL(url).hostname), {
    error: 'must be https, except on loopback',
  })

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

const roleArn = z
  .string()
  .regex(
    /^arn:aws[a-z-]*:iam::\d{12}:role\/(?:[\x21-\x7e]+\/)?[\w+=,.@-]{1,64}$/,
    'must be the ARN of an IAM role',
  )

const region = z.string().regex(/^[a-z]{2}(?:-[a-z]+)+-\d$/, 'must be a region such as us-east-1')

/** A region that is left out is one in which nobody looks. */
const MOST_REGIONS = 40

/** One AWS account's `providers.<name>`. `credentials` absent: the SDK's own chain. */
export const settingsSchema = z
  .strictObject({
    type: z.literal('aws-sts'),
    region,
    endpoints: z.strictObject({ sts: endpoint.optional(), iam: endpoint.optional() }).optional(),
    credentials: credentials.optional(),
    /** The identity that ends leases, apart from the one that mints. */
    revoke: z
      .strictObject({ role_arn: roleArn.optional(), credentials: credentials.optional() })
      .optional(),
    /** Where it is looked whether ended leases are refused; absent: nowhere, and none is ever proved. */
    proof: z
      .strictObject({
        regions: z
          .array(region)
          .min(1, 'must name every region in which leases can be used')
          .max(MOST_REGIONS)
          .refine((all) => new Set(all).size === all.length, 'must name each region once'),
        /** STS of a region, where it is not AWS's own. */
        endpoints: z.record(region, endpoint).optional(),
      })
      .refine(
        ({ regions, endpoints = {} }) => Object.keys(endpoints).every((r) => regions.includes(r)),
        {
          path: ['endpoints'],
          error: 'must be of regions that are listed',
        },
      )
      .optional(),
  })
  .refine(({ region: home, proof }) => proof?.regions.includes(home) !== false, {
    path: ['proof', 'regions'],
    error: 'must hold `region`, where sessions are used unless they say otherwise',
  })

/** An entitlement's `target`: the role its leases are drawn on. */
export const targetSchema = z.strictObject({
  role_arn: roleArn,
  /** Absent: `<installation>:<tenant>`. */
  external_id: z
    .string()
    .regex(/^[\w+=,.@:/-]{2,1224}$/, 'must fit sts:ExternalId')
    .optional(),
  /** The role serves several tenants on purpose. */
  shared: z.boolean().optional(),
  /** The role's MaxSessionDuration, where it is not the default hour. */
  max_session_seconds: z.int().min(3_600).max(43_200).optional(),
})

export type AwsSettings = z.infer<typeof settingsSchema>
export type AwsTarget = z.infer<typeof targetSchema>
export type AwsCredentials = z.infer<typeof credentials>

/** What AssumeRole gives at least (STS API reference). */
export const NATIVE_FLOOR_SECONDS = 900
/** A role's MaxSessionDuration unless it was changed, and the cap on role chaining. */
const DEFAULT_MAX_SESSION_SECONDS = 3_600

export function maxSessionSeconds(target: AwsTarget): number {
  return target.max_session_seconds ?? DEFAULT_MAX_SESSION_SECONDS
}

/** How AWS names the sessions of a role: without the role's path. */
export function sessionsOf(roleArn: string): string {
  const [, partition, , , account, resource = ''] = roleArn.split(':')
  return `arn:${partition}:sts::${account}:assumed-role/${resource.split('/').at(-1)}/*`
}
