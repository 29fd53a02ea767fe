const MAX_BYTES = 2_048
const SEGMENT = /^[A-Za-z0-9._-]+$/

/** A workload's SPIFFE ID, taken apart. */
export interface SpiffeId {
  readonly trustDomain: string
  /** From the first slash on; never empty. */
  readonly path: string
}

/**
 * Reads the SPIFFE ID of a workload (SPIFFE-ID §2): lower-case trust domain, a path of plain
 * segments, nothing to be normalised. Undefined for anything else, a bare trust domain included.
 */
export function parseSpiffeId(text: unknown): SpiffeId | undefined {
  if (typeof text !== 'string' || text.length > MAX_BYTES) return undefined
  const match = /^spiffe:\/\/([a-z0-9._-]{1,255})(\/.+)$/.exec(text)
  const [, trustDomain, path] = match ?? []
  if (trustDomain === undefined || path === undefined) return undefined
  const segments = path.slice(1).split('/')
  const plain = segments.every((one) => SEGMENT.test(one) && one !== '.' && one !== '..')
  return plain ? { trustDomain, path } : undefined
}
