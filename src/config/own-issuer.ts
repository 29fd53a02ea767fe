import { type IssuerConfig, issuerUrl } from '../identity/issuer-settings.ts'
import type { Located, Report } from './report.ts'
import type { ServerConfig } from './server.ts'

/** No credential Mayfly issued is evidence (P10): its own address vouches for nobody here. */
export function refuseOwnIssuer(
  report: Report,
  issuers: readonly Located<IssuerConfig>[],
  server: ServerConfig | undefined,
): void {
  if (server === undefined) return
  const own = [server.publicUrl, `http://${server.host}:${server.port}`].map(comparable)
  for (const { value, path } of issuers) {
    for (const [field, address] of Object.entries(addressesOf(value))) {
      const url = comparable(address)
      if (!own.some((base) => `${url}/`.startsWith(`${base}/`))) continue
      report.problem(`${path}.${field}`, 'is this broker itself, whose credentials are no evidence')
    }
  }
}

function addressesOf(issuer: IssuerConfig): Record<string, string> {
  if ('bundle' in issuer) return { bundle: issuer.bundle }
  const { jwks_uri, api_server } = { jwks_uri: undefined, api_server: undefined, ...issuer }
  return {
    issuer: issuerUrl(issuer),
    ...(jwks_uri === undefined ? {} : { jwks_uri }),
    ...(api_server === undefined ? {} : { 'api_server.url': api_server.url }),
  }
}

/** As the URL standard writes it, without a slash at the end. */
function comparable(address: string): string {
  return (URL.parse(address)?.href ?? address).replace(/\/+$/, '')
}
