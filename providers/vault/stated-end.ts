/**
 * When a secret itself says that it ends. Vault's lease may be shorter: the Kubernetes API may give
 * a token a longer life than was asked, and the engine then only warns (OpenBao 2.6.2).
 */
export function statedEnd(data: unknown): number | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const ends = [
    'expiration' in data ? data.expiration : undefined,
    'service_account_token' in data ? expiryOf(data.service_account_token) : undefined,
  ].filter((end) => typeof end === 'number' && Number.isFinite(end))
  return ends.length === 0 ? undefined : Math.max(...ends.map(Number)) * 1_000
}

/** The `exp` of a JWT, read and not verified: it can only lengthen what is assumed. */
function expiryOf(token: unknown): unknown {
  if (typeof token !== 'string') return undefined
  try {
    const payload: unknown = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'),
    )
    return typeof payload === 'object' && payload !== null && 'exp' in payload
      ? payload.exp
      : undefined
  } catch {
    return undefined
  }
}
