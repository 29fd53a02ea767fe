/** Finds tokens by the lease name in their metadata: for mints whose answer was never seen. */
import type { VaultReply } from './client.ts'
import { VaultRefusedError } from './client.ts'
import { META_LEASE, type Upstream } from './upstream.ts'

/** Lookups under way at once; a sweep asks once for every token in the namespace. */
const PARALLEL = 16

/** Accessors by upstream name; undefined if this identity may not list them. */
export async function sweepAccessors(
  upstream: Upstream,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]> | undefined> {
  const accessors = await listAccessors(upstream, signal)
  if (!accessors) return undefined
  const found = new Map<string, string[]>()
  const queue = [...accessors]
  const worker = async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const name = await leaseOf(upstream, next, signal)
      if (name !== undefined) found.set(name, [...(found.get(name) ?? []), next])
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return found
}

async function listAccessors(
  { ender }: Upstream,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  try {
    const reply = await ender.call({ method: 'list', path: 'auth/token/accessors', signal })
    return listedKeys(reply)
  } catch (error) {
    if (error instanceof VaultRefusedError && error.status === 403) return undefined
    throw error
  }
}

async function leaseOf(
  { ender }: Upstream,
  accessor: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const { body } = await ender.call({
      method: 'write',
      path: 'auth/token/lookup-accessor',
      data: { accessor },
      signal,
    })
    return metaOf(body.data)
  } catch (error) {
    // It may have died between the list and the look.
    if (error instanceof VaultRefusedError && error.outcome === 'refused') return undefined
    throw error
  }
}

function metaOf(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null || !('meta' in data)) return undefined
  const { meta } = data
  if (typeof meta !== 'object' || meta === null || !(META_LEASE in meta)) return undefined
  const name = meta[META_LEASE]
  return typeof name === 'string' ? name : undefined
}

/** The `keys` of a list answer; none if it has another shape. */
export function listedKeys({ body }: VaultReply): readonly string[] {
  const { data } = body
  if (typeof data !== 'object' || data === null || !('keys' in data)) return []
  return Array.isArray(data.keys) ? data.keys.filter((key) => typeof key === 'string') : []
}
