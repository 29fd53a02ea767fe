/**
 * One lease: write its policy → make its token from the token role → for a dynamic target, read the
 * secret with that token. The agent gets the token, or the secret without the token.
 */
import { type Minted, type MintOrder, UpstreamError } from '../../src/provider.ts'
import { policyFor } from './describe.ts'
import { type Handle, joinHandles, parseHandle } from './handle.ts'
import { secondsLeft } from './lifetime.ts'
import { type DynamicSecret, readSecret } from './secret-read.ts'
import { targetSchema } from './settings.ts'
import { createToken, type LeaseToken } from './token-create.ts'
import { policyPath, type Upstream, vaultOf } from './upstream.ts'

export async function mint(upstream: Upstream, order: MintOrder): Promise<Minted> {
  const { settings, minter } = upstream
  const target = targetSchema.parse(order.target)
  const policy = policyFor({ settings, target, intent: order.intent })
  if ('refused' in policy) throw new UpstreamError('refused', policy.refused)
  secondsLeft(upstream.clock, order)
  await minter.call({
    method: 'write',
    path: policyPath(order.upstreamName),
    data: { policy: JSON.stringify(policy) },
    signal: order.signal,
  })
  const token = await tokenUnderPolicy(upstream, order)
  const secret =
    target.kind === 'dynamic'
      ? await readSecret(upstream, { order, path: target.path, token })
      : undefined
  upstream.strays.delete(order.upstreamName)
  return minted(upstream, { order, token, secret })
}

/** A refused token leaves nothing but the policy, which grants nothing without it. */
async function tokenUnderPolicy(upstream: Upstream, order: MintOrder): Promise<LeaseToken> {
  try {
    return await createToken(upstream, order)
  } catch (error) {
    if (error instanceof UpstreamError && error.outcome === 'refused') {
      const { upstreamName, signal } = order
      const path = policyPath(upstreamName)
      await upstream.ender.call({ method: 'delete', path, signal }).catch(() => undefined)
    }
    throw error
  }
}

function minted(
  { settings }: Upstream,
  made: { order: MintOrder; token: LeaseToken; secret: DynamicSecret | undefined },
): Minted {
  const { order, token, secret } = made
  const here: Handle = {
    accessors: [token.accessor],
    leases: secret ? [secret.leaseId] : [],
    complete: true,
    vault: vaultOf(settings),
  }
  const at = secret?.at ?? token.at
  return {
    credential: {
      type: 'vault',
      address: settings.address,
      ...(settings.namespace === undefined ? {} : { namespace: settings.namespace }),
      ...(secret ? { data: secret.data } : { token: token.value }),
    },
    expiresAt: Math.min(order.notAfter, token.livesUntil, secret?.livesUntil ?? Infinity),
    // A token's end only queues the end of what it read, so the secret's own life counts.
    nativeExpiresAt: secret?.diesBy ?? token.diesBy,
    handle: order.handle === null ? here : joinHandles(parseHandle(order.handle), here),
    ...(at === undefined ? {} : { upstreamTime: at }),
  }
}
