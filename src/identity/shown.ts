import type { ClientCertificate } from './certificate.ts'

/** What a request shows of who sends it. Nothing of it is believed yet. */
export interface Shown {
  /** Of the `Authorization` header; absent where there is none. */
  readonly token?: string
  /** Given exactly where the token came under the scheme `DPoP`, which promises a proof. */
  readonly dpop?: ShownProof
  /**
   * The certificate of the connection, whose key the TLS handshake has proved; undefined where none
   * was asked for or given. Throws `unauthenticated` for one that does not hold.
   */
  certificate?(): ClientCertificate | undefined
}

/** A DPoP proof and the request it must be for. */
export interface ShownProof {
  /** The `DPoP` header; several arrive as one that is no proof. */
  readonly proof: string | undefined
  readonly method: string
  /** The token stands in the body (RFC 9449 §5): such a proof need not name it (`ath`). */
  readonly tokenInBody?: true
  /** As it was sent, without the query. */
  readonly path: string
}
