import { z } from 'zod'

/** A secret stands outside the configuration, in an environment variable or a file. */
const secretReference = z
  .string()
  .regex(/^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, 'must be env:NAME or file:PATH')

/** https only, loopback http excepted; an origin without path, as the clients append their own. */
const endpoint = z
  .string()
  .refine(isAllowedEndpoint, 'must be an https origin like https://host or a loopback http origin')

/** A fixed access token, or the JSON of a service account key or an external account. */
const credentials = z.union([
  z.strictObject({ access_token: secretReference }),
  z.strictObject({ key_file: secretReference }),
])

/**
 * What stands under `providers.<name>` for `type: gcp`. Without `credentials` the broker uses
 * Application Default Credentials; without `revoke` the mint identity also disables and enables.
 */
export const settings = z.strictObject({
  type: z.literal('gcp'),
  endpoints: z
    .strictObject({
      iamcredentials: endpoint.optional(),
      iam: endpoint.optional(),
      sts: endpoint.optional(),
      storage: endpoint.optional(),
    })
    .optional(),
  credentials: credentials.optional(),
  revoke: z.strictObject({ credentials: credentials.optional() }).optional(),
})

export type Settings = z.infer<typeof settings>
export type Credentials = z.infer<typeof credentials>

/** Where each API is reached. */
export function endpointsOf(given: Settings) {
  return {
    iamcredentials: new URL(
      given.endpoints?.iamcredentials ?? 'https://iamcredentials.googleapis.com',
    ),
    iam: new URL(given.endpoints?.iam ?? 'https://iam.googleapis.com'),
    sts: new URL(given.endpoints?.sts ?? 'https://sts.googleapis.com'),
    storage: new URL(given.endpoints?.storage ?? 'https://storage.googleapis.com'),
  }
}

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/

function isAllowedEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const bare = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === ''
  const safe =
    url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname))
  return bare && safe
}
