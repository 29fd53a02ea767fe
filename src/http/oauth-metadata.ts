import { createRoute, z } from '@hono/zod-openapi'
import type { Broker } from '../broker/broker.ts'
import { DPOP_ALGORITHMS } from '../identity/dpop-jwk.ts'
import { withoutUndefined } from '../model/optional.ts'
import { SIGNING_ALGORITHMS } from '../signing/key-ring.ts'
import type { PublicKey } from '../signing/signer.ts'
import { json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'

const JWKS_PATH = '/.well-known/jwks.json'
const METADATA_PATH = '/.well-known/oauth-authorization-server'
/** A key is published a day before it signs: whoever keeps the set for less misses none. */
const KEY_SET_HEADERS = { 'cache-control': 'public, max-age=300' }

const publicKey = withoutUndefined<PublicKey>(
  z.strictObject({
    kty: z.string(),
    crv: z.string(),
    x: z.string(),
    y: z.string().optional(),
    kid: z.string(),
    alg: z.enum(SIGNING_ALGORITHMS),
    use: z.literal('sig'),
  }),
)

/** Where clients and resource servers learn what there is: RFC 8414 metadata and RFC 7517 keys. */
export function metadataRoutes(app: App, { broker }: Parts): void {
  const tags = ['oauth']
  const jwks = createRoute({
    method: 'get',
    path: JWKS_PATH,
    tags,
    summary: 'The public keys of access tokens (RFC 7517)',
    description: 'A new key is published a day before it signs.',
    security: [],
    responses: {
      200: json(z.strictObject({ keys: z.array(publicKey) }), 'The keys.'),
      ...refusals(),
    },
  })
  app.openapi(jwks, (c) => c.json({ keys: [...broker.signer.jwks().keys] }, 200, KEY_SET_HEADERS))

  const { publicUrl } = broker.world().config.server
  // RFC 8414 §3.1: below a path of the issuer's the document is asked for at the host's root.
  const inserted = `${METADATA_PATH}${new URL(publicUrl).pathname.replace(/\/$/, '')}`
  for (const path of new Set([METADATA_PATH, inserted])) {
    const metadata = createRoute({
      method: 'get',
      path,
      tags,
      summary: 'What this authorization server can do (RFC 8414)',
      description:
        'For OAuth libraries: where to exchange, introspect and revoke tokens, and which kinds of authorization details there are.',
      security: [],
      responses: {
        200: json(z.looseObject({ issuer: z.string() }), 'The metadata.'),
        ...refusals(),
      },
    })
    app.openapi(metadata, (c) => c.json(metadataOf(broker), 200))
  }
}

function metadataOf({ world }: Broker) {
  const { config } = world()
  const issuer = config.server.publicUrl
  const types = config.providers
    .filter(({ definition }) => definition.accessTokensOf !== undefined)
    .map(({ definition }) => definition.vocabulary.type)
  return {
    issuer,
    jwks_uri: `${issuer}${JWKS_PATH}`,
    token_endpoint: `${issuer}/oauth2/token`,
    token_endpoint_auth_methods_supported: ['none'],
    grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
    response_types_supported: [],
    introspection_endpoint: `${issuer}/oauth2/introspect`,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic'],
    revocation_endpoint: `${issuer}/oauth2/revoke`,
    revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'none'],
    authorization_details_types_supported: [...new Set(types)],
    dpop_signing_alg_values_supported: [...DPOP_ALGORITHMS],
    access_token_signing_alg_values_supported: [...SIGNING_ALGORITHMS],
    tls_client_certificate_bound_access_tokens: config.server.tls?.clientCa !== undefined,
    service_documentation: `${issuer}/openapi.json`,
  }
}
