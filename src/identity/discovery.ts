import { type DocumentFetch, getJson } from './documents.ts'
import { httpsOrLoopback } from './url.ts'

export function discoveryUrl(base: string): string {
  return `${base.replace(/\/$/, '')}/.well-known/openid-configuration`
}

/**
 * Asks `base` for the metadata of `issuer` (OpenID Connect Discovery §4). Throws unless the answer
 * is about exactly this issuer.
 */
export async function discover(
  fetchDocument: DocumentFetch,
  { base, issuer }: { base: string; issuer: string },
): Promise<object> {
  return await metadataAt(fetchDocument, { url: discoveryUrl(base), issuer })
}

/** Metadata at `url`; throws unless it is about exactly this issuer. */
export async function metadataAt(
  fetchDocument: DocumentFetch,
  { url, issuer }: { url: string; issuer: string },
): Promise<object> {
  const metadata = await getJson(fetchDocument, url)
  if (typeof metadata !== 'object' || metadata === null) throw new Error('discovery is no object')
  if (!('issuer' in metadata) || metadata.issuer !== issuer) {
    throw new Error('discovery answered for another issuer')
  }
  return metadata
}

/** Where the metadata says the keys are, if that is on the issuer's own host (P10). */
export function keysOnHostOf(issuer: string, metadata: object): string {
  const text = 'jwks_uri' in metadata ? metadata.jwks_uri : undefined
  const url = typeof text === 'string' ? httpsOrLoopback(text) : undefined
  if (url === undefined) throw new Error('discovery names no https jwks_uri')
  if (url.origin !== new URL(issuer).origin) {
    throw new Error(
      `its jwks_uri is on another host (${url.origin}); set jwks_uri if that is right`,
    )
  }
  return url.href
}
