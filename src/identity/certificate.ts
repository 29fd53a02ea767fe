import { createHash, type X509Certificate } from 'node:crypto'
import type { KeyName } from '../model/key.ts'

/** A client certificate for which TLS found a path to a trusted root and proof of its key. */
export interface ClientCertificate {
  readonly leaf: X509Certificate
  /** The root its path ends in. */
  readonly root: X509Certificate
}

/** RFC 8705 §3.1: the SHA-256 of the certificate in DER. */
export function certificateKey({ leaf }: ClientCertificate): KeyName {
  return `x5t#S256:${createHash('sha256').update(leaf.raw).digest('base64url')}`
}
