import { discover, keysOnHostOf } from './discovery.ts'
import type { KeyContext } from './documents.ts'
import { type Issuer, NO_FACTS } from './issuer.ts'
import type { IssuerConfigOf } from './issuer-settings.ts'
import { keySetAt } from './key-set.ts'
import { sendWith } from './send.ts'

/** Any OpenID Connect issuer: its claims are what they are. */
export function oidcIssuer(config: IssuerConfigOf<'oidc'>, context: KeyContext): Issuer {
  return {
    config,
    keys: keysOfIssuer(config, context),
    rules: {
      algorithms: config.algorithms,
      iss: config.issuer,
      oneTime: config.one_time,
      ...(config.typ === undefined ? {} : { typ: config.typ }),
    },
    read: () => NO_FACTS,
  }
}

/** Keys at the configured address, or found by discovery on the issuer's own host. */
export function keysOfIssuer(
  { name, issuer, jwks_uri }: { name: string; issuer: string; jwks_uri?: string | undefined },
  context: KeyContext,
) {
  return keySetAt(
    {
      issuer: name,
      send: sendWith({}, context),
      find: async (fetchDocument) =>
        jwks_uri === undefined
          ? keysOnHostOf(issuer, await discover(fetchDocument, { base: issuer, issuer }))
          : jwks_uri,
    },
    context,
  )
}
