import { X509Certificate } from 'node:crypto'
import type { ClientCertificate } from './certificate.ts'
import { keyUses } from './key-usage.ts'

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
/** The authorities of a PEM file, or what is wrong with it. */
export function readTrustRoots(pem: string): readonly X509Certificate[] | string {
  try {
    const roots = (pem.match(PEM) ?? []).map((text) => new X509Certificate(text))
    if (roots.length === 0) return 'holds no certificate in PEM'
    // OpenSSL knows further kinds of PEM, and would trust what is not counted here.
    if (pem.split('-----BEGIN ').length - 1 !== roots.length) return 'holds more than certificates'
    return roots.every(({ ca }) => ca) ? roots : 'holds a certificate that is of no authority'
  } catch {
    return 'holds a certificate that cannot be read'
  }
}

/**
 * Whether a certificate is signed under these roots. TLS has checked a path as RFC 5280 §6 says, but
 * to any authority of the listener: if all of them are these roots, that is enough; otherwise one of
 * the roots must have signed it directly, because nobody knows what TLS went over.
 */
export function isUnder(
  roots: readonly X509Certificate[],
  { leaf, authorities }: ClientCertificate,
  now: number,
): boolean {
  const known = new Set(roots.map(({ fingerprint256 }) => fingerprint256))
  const alone = authorities.length > 0 && authorities.every((one) => known.has(one))
  return alone || roots.some((root) => signed(leaf, root, now))
}

function signed(certificate: X509Certificate, by: X509Certificate, now: number): boolean {
  return (
    by.ca &&
    keyUses(by)?.has('keyCertSign') !== false &&
    isValid(by, now) &&
    certificate.checkIssued(by) &&
    certificate.verify(by.publicKey)
  )
}

function isValid({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  return validFromDate.getTime() <= now && now < validToDate.getTime()
}
