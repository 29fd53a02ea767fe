/**
 * A public key by its name, as a task is bound to it: `jkt:` and the RFC 7638 SHA-256 thumbprint of
 * a DPoP key, or `x5t#S256:` and the SHA-256 of a client certificate (RFC 8705 §3.1), base64url.
 */
export type KeyName = `jkt:${string}` | `x5t#S256:${string}`
