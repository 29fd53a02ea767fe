import type { X509Certificate } from 'node:crypto'
import { MayflyError } from '../errors.ts'
import type { Secret } from '../secret.ts'
import { type ClientCertificate, certificateKey } from './certificate.ts'
import { type IssuerConfig, type IssuerConfigOf, issuerUrl } from './issuer-settings.ts'
import { keyUses } from './key-usage.ts'
import { parseSpiffeId } from './spiffe-id.ts'
import { isUnder, readTrustRoots } from './trust-roots.ts'
import type { Workload } from './workload.ts'

/** A trust domain whose workloads show X.509-SVIDs. */
export interface TrustDomain {
  readonly config: IssuerConfigOf<'spiffe-x509'>
  readonly roots: readonly X509Certificate[]
}

/** Reads the trust bundles, by trust domain; throws for one that `config check` refuses. */
export function openTrustDomains(
  configs: readonly IssuerConfig[],
  secret: (reference: string) => Secret,
): ReadonlyMap<string, TrustDomain> {
  const domains = configs.filter((config) => config.type === 'spiffe-x509')
  return new Map(
    domains.map((config) => {
      const roots = readTrustRoots(secret(config.bundle).reveal())
      if (typeof roots === 'string') throw new Error(`${config.bundle} ${roots}`)
      return [config.trust_domain, { config, roots }]
    }),
  )
}

/**
 * Checks the certificate of a connection as SPIFFE X509-SVID §5 says: one SPIFFE ID, no authority,
 * signed under the bundle of the ID's own trust domain. `unauthenticated` otherwise.
 */
export function verifySvid(
  domains: ReadonlyMap<string, TrustDomain>,
  certificate: ClientCertificate,
  now: number,
): Workload {
  const key = certificateKey(certificate, now)
  const { leaf } = certificate
  const id = spiffeIdOf(leaf)
  const domain = domains.get(parseSpiffeId(id)?.trustDomain ?? '')
  if (id === undefined || domain === undefined) {
    throw refused('it has not one SPIFFE ID of a configured trust domain')
  }
  const { config, roots } = domain
  const { name } = config
  const uses = keyUses(leaf)
  if (leaf.ca || uses?.has('keyCertSign') || uses?.has('cRLSign')) {
    throw refused('it is an authority, not a workload', { issuer: name })
  }
  if (!uses?.has('digitalSignature')) throw refused('its key may not sign', { issuer: name })
  if (!isUnder(roots, certificate, now)) {
    throw refused('it is not signed under the bundle of its trust domain', { issuer: name })
  }
  return {
    name: `${name}/${id}`,
    issuer: name,
    issuerUrl: issuerUrl(config),
    subject: id,
    instance: null,
    pin: key,
    proof: 'bearer',
    confirmation: key,
    claims: { sub: id },
    lists: {},
    evidenceId: null,
    evidenceIssuedAt: leaf.validFromDate.getTime(),
    evidenceExpiresAt: leaf.validToDate.getTime(),
    oneTime: false,
  }
}

/**
 * The only URI among a certificate's names; several are none (X509-SVID §2). node quotes names that
 * hold a comma or quote, which no SPIFFE ID does: such names make the whole list unreadable.
 */
function spiffeIdOf({ subjectAltName }: X509Certificate): string | undefined {
  if (subjectAltName === undefined || subjectAltName.includes('"')) return undefined
  const uris = subjectAltName.split(', ').filter((name) => name.startsWith('URI:'))
  const [uri, ...others] = uris.map((name) => name.slice('URI:'.length))
  return others.length === 0 && parseSpiffeId(uri) !== undefined ? uri : undefined
}

function refused(reason: string, detail: Record<string, unknown> = {}): MayflyError {
  return new MayflyError('unauthenticated', 'the evidence was not accepted', {
    detail: { ...detail, reason: `x509-svid: ${reason}` },
  })
}
