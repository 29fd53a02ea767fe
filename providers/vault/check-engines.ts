/**
 * Whether the engine a target names is the one mounted there. What an end can do hangs on it, and
 * compiling an intent cannot ask.
 */
import type { Finding } from '../../src/provider.ts'
import { VaultRefusedError } from './client.ts'
import { type DynamicTarget, targetSchema } from './settings.ts'
import type { Upstream } from './upstream.ts'

export async function checkEngines(
  upstream: Upstream,
  targets: readonly unknown[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const dynamic = targets.flatMap((target): DynamicTarget[] => {
    const parsed = targetSchema.safeParse(target)
    return parsed.success && parsed.data.kind === 'dynamic' ? [parsed.data] : []
  })
  if (dynamic.length === 0) return []
  const mounts = await mountTypes(upstream, signal)
  if (!mounts) return [UNSEEN]
  const findings = dynamic.flatMap((target) => findingOf(target, mounts))
  return findings.length > 0
    ? findings
    : [{ level: 'ok', what: 'every dynamic target names the engine that is mounted there' }]
}

const UNSEEN: Finding = {
  level: 'warning',
  what: 'mounts cannot be read, so it is not checked that targets name the right engine',
  fix: 'add to the mint policy: path "sys/mounts" { capabilities = ["read"] }',
}

function findingOf(
  { engine, path }: DynamicTarget,
  mounts: ReadonlyMap<string, string>,
): readonly Finding[] {
  const mount = [...mounts.keys()]
    .filter((one) => path.startsWith(one))
    .toSorted((a, b) => b.length - a.length)[0]
  const type = mount === undefined ? undefined : mounts.get(mount)
  if (type === engine) return []
  const found = type === undefined ? 'nothing is mounted there' : `"${type}" is mounted there`
  return [
    {
      level: 'blocking',
      what: `a target says engine "${engine}" for ${path}, but ${found}: its end would be mislabelled`,
      fix: 'correct engine or path of the target',
    },
  ]
}

/** By path with a trailing slash; undefined if this identity may not see them. */
async function mountTypes(
  { minter }: Upstream,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const { body } = await minter.call({ method: 'read', path: 'sys/mounts', signal })
    const data = typeof body.data === 'object' && body.data !== null ? body.data : {}
    return new Map(
      Object.entries(data).map(([path, mount]) => [path, String(typeOf(mount) ?? 'unknown')]),
    )
  } catch (error) {
    if (error instanceof VaultRefusedError && error.status === 403) return undefined
    throw error
  }
}

function typeOf(mount: unknown): unknown {
  return typeof mount === 'object' && mount !== null && 'type' in mount ? mount.type : undefined
}
