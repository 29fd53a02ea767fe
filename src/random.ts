import type { Random } from './ids.ts'

/** Asking the system costs microseconds, however little is asked for. */
const POOL_BYTES = 4_096

/** The same randomness, drawn from its source in larger pieces; each byte is given out once. */
export function pooled(source: Random): Random {
  let pool = new Uint8Array(0)
  return (bytes) => {
    if (bytes > POOL_BYTES) return source(bytes)
    if (bytes > pool.length) pool = Uint8Array.from(source(POOL_BYTES))
    const given = pool.slice(0, bytes)
    pool.fill(0, 0, bytes)
    pool = pool.subarray(bytes)
    return given
  }
}
