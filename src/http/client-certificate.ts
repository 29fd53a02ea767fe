import { X509Certificate } from 'node:crypto'
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { MayflyError } from '../errors.ts'
import type { ClientCertificate } from '../identity/certificate.ts'

/** Longer than any real path of certificates. */
const MAX_PATH = 8

/** What the listener gives with a request; nothing where the app is called in process. */
interface Bindings {
  readonly incoming?: { readonly socket: unknown }
}

/**
 * The client certificate of a request's connection, read once for all its requests; undefined where
 * there is none. Throws `unauthenticated` for one without a path to a configured authority: its holder must
 * not believe to have shown something.
 */
export function certificateReader(): (
  bindings: Bindings | undefined,
) => ClientCertificate | undefined {
  const read = new WeakMap<TLSSocket, ClientCertificate>()
  return (bindings) => {
    const socket = bindings?.incoming?.socket
    if (!(socket instanceof TLSSocket)) return undefined
    const known = read.get(socket)
    if (known !== undefined) return known
    const certificate = certificateOf(socket)
    if (certificate !== undefined) read.set(socket, certificate)
    return certificate
  }
}

function certificateOf(socket: TLSSocket): ClientCertificate | undefined {
  const leaf = socket.getPeerX509Certificate()
  if (leaf === undefined) return undefined
  if (!socket.authorized) {
    throw new MayflyError('unauthenticated', 'the client certificate was not accepted', {
      detail: { reason: `tls: ${String(socket.authorizationError)}` },
    })
  }
  return { leaf, above: pathAbove(socket.getPeerCertificate(true)) }
}

/** What came with the certificate and what node found above it; its own root repeats itself. */
function pathAbove(leaf: DetailedPeerCertificate): X509Certificate[] {
  const path: X509Certificate[] = []
  let at = leaf
  // The last one of an incomplete path has no issuer, whatever its type says.
  while (at.issuerCertificate !== undefined && at.issuerCertificate !== at) {
    at = at.issuerCertificate
    if (path.length === MAX_PATH) return []
    path.push(new X509Certificate(at.raw))
  }
  return path
}
