import { discoveryUrl } from './discovery.ts'
import { type IssuerConfig, issuerUrl } from './issuer-settings.ts'
import type { Credentials } from './send.ts'

/** The first address asked for an issuer's keys, and with what; undefined where they are a file. */
export function firstAddress(
  issuer: IssuerConfig,
): { readonly url: string; readonly credentials: Credentials } | undefined {
  if (issuer.type === 'spiffe-x509') return undefined
  if (issuer.type === 'spiffe') {
    const { bundle, bundle_ca } = issuer
    return bundle.startsWith('file:') ? undefined : { url: bundle, credentials: { ca: bundle_ca } }
  }
  if ('jwks_uri' in issuer && issuer.jwks_uri !== undefined) {
    return { url: issuer.jwks_uri, credentials: {} }
  }
  const server = 'api_server' in issuer ? issuer.api_server : undefined
  return { url: discoveryUrl(server?.url ?? issuerUrl(issuer)), credentials: server ?? {} }
}
