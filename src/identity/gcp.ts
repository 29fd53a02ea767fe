import type { JWTPayload } from 'jose'
import type { KeyContext } from './documents.ts'
import type { Issuer, KindFacts } from './issuer.ts'
import { GOOGLE_ISSUER, type IssuerConfigOf } from './issuer-settings.ts'
import { keysOfIssuer } from './oidc.ts'
import { present, textAt } from './plain-claims.ts'

/**
 * Google identity tokens. `email` is required, so that a token of an account that Mayfly hands out
 * is known as such; a metadata server says it with `format=full`, IAM Credentials with
 * `includeEmail` (https://cloud.google.com/compute/docs/instances/verifying-instance-identity).
 */
export function gcpIssuer(config: IssuerConfigOf<'gcp'>, context: KeyContext): Issuer {
  return {
    config,
    keys: keysOfIssuer({ ...config, issuer: GOOGLE_ISSUER }, context),
    rules: { algorithms: ['RS256'], iss: GOOGLE_ISSUER, oneTime: false },
    read: readClaims,
  }
}

function readClaims(claims: JWTPayload): KindFacts | string {
  if (textAt(claims, 'email') === undefined) return 'it has no email: ask for format=full'
  if (claims.email_verified !== true) return 'its email is not verified'
  const machine = (name: string) => textAt(claims, 'google', 'compute_engine', name)
  const instance = machine('instance_id')
  return {
    names: present({
      project_id: machine('project_id'),
      zone: machine('zone'),
      instance_id: instance,
      instance_name: machine('instance_name'),
    }),
    instance: instance ?? null,
  }
}
