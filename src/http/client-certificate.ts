import { TLSSocket } from 'node:tls'
import { MayflyError } from '../errors.ts'
import type { ClientCertificate } from '../identity/certificate.ts'

/** What the listener gives with a request; nothing where the app is called in process. */
interface Bindings {
  readonly incoming?: { readonly socket: unknown }
  readonly authorities?: readonly string[]
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
    const certificate = certificateOf(socket, bindings?.authorities ?? [])
    if (certificate !== undefined) read.set(socket, certificate)
    return certificate
  }
}

function certificateOf(
  socket: TLSSocket,
  authorities: readonly string[],
): ClientCertificate | undefined {
  const leaf = socket.getPeerX509Certificate()
  if (leaf === undefined) return undefined
  // node keeps `authorized` from a first handshake where a second one fails.
  if (!socket.authorized || socket.authorizationError) {
    throw new MayflyError('unauthenticated', 'the client certificate was not accepted', {
      detail: { reason: `tls: ${String(socket.authorizationError)}` },
    })
  }
  return { leaf, authorities }
}
