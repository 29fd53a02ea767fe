/**
 * Looks whether Vault has really forgotten a lease's tokens and secrets: `lookup-accessor` answers
 * "invalid accessor" and `leases/lookup` answers "invalid lease", while the asking identity's own
 * `lookup-self` succeeds. A 403 is an ACL's and proves nothing.
 */
import type { ContainmentProof } from '../../src/model/lease.ts'
import { VaultRefusedError } from './client.ts'
import type { Handle } from './handle.ts'
import type { Upstream } from './upstream.ts'

/** `gone`: all of it, seen. `alive`: some of it still there. `unseen`: could not be looked up. */
export type Evidence =
  | { readonly seen: 'gone'; readonly proof: ContainmentProof }
  | { readonly seen: 'alive' | 'unseen' }

export async function lookFor(
  upstream: Upstream,
  handle: Handle,
  signal: AbortSignal,
): Promise<Evidence> {
  const looks = [
    ...handle.accessors.map((accessor) =>
      look(upstream, {
        path: 'auth/token/lookup-accessor',
        data: { accessor },
        gone: 'invalid accessor',
        signal,
      }),
    ),
    ...handle.leases.map((lease) =>
      look(upstream, {
        path: 'sys/leases/lookup',
        data: { lease_id: lease },
        gone: 'invalid lease',
        signal,
      }),
    ),
  ]
  const seen = await Promise.all(looks)
  if (seen.includes('alive')) return { seen: 'alive' }
  if (!handle.complete || seen.length === 0 || seen.includes('unseen')) return { seen: 'unseen' }
  if (!(await controlAnswers(upstream, signal))) return { seen: 'unseen' }
  return { seen: 'gone', proof: { method: 'lookup', at: upstream.clock.now() } }
}

async function look(
  { ender }: Upstream,
  at: {
    path: string
    data: Readonly<Record<string, unknown>>
    gone: string
    signal: AbortSignal
  },
): Promise<'gone' | 'alive' | 'unseen'> {
  try {
    const { path, data, signal } = at
    const { body } = await ender.call({ method: 'write', path, data, signal })
    // Vault describes what it finds; an answer without a description shows nothing.
    return typeof body.data === 'object' && body.data !== null ? 'alive' : 'unseen'
  } catch (error) {
    if (!(error instanceof VaultRefusedError)) throw error
    return error.status === 400 && error.reason.includes(at.gone) ? 'gone' : 'unseen'
  }
}

async function controlAnswers({ ender }: Upstream, signal: AbortSignal): Promise<boolean> {
  const { body } = await ender.call({ method: 'read', path: 'auth/token/lookup-self', signal })
  return typeof body.data === 'object' && body.data !== null
}
