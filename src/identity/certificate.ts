import { createHash, type X509Certificate } from 'node:crypto'
import { MayflyError } from '../errors.ts'
import type { KeyName } from '../model/key.ts'

/** A client certificate for which TLS found a path to a configured authority and proof of its key. */
export interface ClientCertificate {
  readonly leaf: X509Certificate
  /**
   * Fingerprints (SHA-256) of all authorities that TLS can have relied on for it. Which of them it
   * was, and over which certificates between, node does not tell a server.
   */
  readonly authorities: readonly string[]
}

/**
 * RFC 8705 §3.1: the SHA-256 of the certificate in DER. Throws `unauthenticated` outside its
 * validity: a connection can outlive its certificate.
 */
export function certificateKey({ leaf }: ClientCertificate, now: number): KeyName {
  if (now < leaf.validFromDate.getTime() || leaf.validToDate.getTime() <= now) {
    throw new MayflyError('unauthenticated', 'the client certificate was not accepted', {
      detail: { reason: 'it is not valid now' },
    })
  }
  return `x5t#S256:${createHash('sha256').update(leaf.raw).digest('base64url')}`
}
