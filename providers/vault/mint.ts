/**
 * One lease: write its policy → make its token from the token role → for a dynamic target, read the
 * secret with that token. The agent gets the token, or the secret without the token.
 */
import { type Minted, type MintOrder, UpstreamError } from '../../src/provider.ts'
import { policyFor } from './describe.ts'
import { engineOf } from './engine.ts'
import { type Handle, joinHandles, parseHandle } from './handle.ts'
import { secondsLeft } from './lifetime.ts'
import { type DynamicSecret, readSecret } from './secret-read.ts'
import { type DynamicTarget, targetSchema } from './settings.ts'
import { createToken, type LeaseToken } from './token-create.ts'
import { policyPath, type Upstream, vaultOf } from './upstream.ts'

/** How long taking a spent policy back may hold up an answer. */
const DROP_MS = 2_000

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
    target.kind === 'dynamic' ? await readOnce(upstream, { order, target, token }) : undefined
  upstream.strays.delete(order.upstreamName)
  return minted(upstream, { order, token, secret })
}

/**
 * What no end can take back is never ended upstream, so its token loses its policy at once. The
 * token itself stays: with it Vault would revoke what it read, and say so of what lives on.
 */
async function readOnce(
  upstream: Upstream,
  read: { order: MintOrder; target: DynamicTarget; token: LeaseToken },
): Promise<DynamicSecret> {
  try {
    return await readSecret(upstream, read)
  } finally {
    if (engineOf(read.target).revocability === 'expiry') {
      await dropPolicy(upstream, read.order.upstreamName, AbortSignal.timeout(DROP_MS))
    }
  }
}

/** A refused token leaves nothing but the policy, which grants nothing without it. */
async function tokenUnderPolicy(upstream: Upstream, order: MintOrder): Promise<LeaseToken> {
  try {
    return await createToken(upstream, order)
  } catch (error) {
    if (error instanceof UpstreamError && error.outcome === 'refused') {
      await dropPolicy(upstream, order.upstreamName, order.signal)
    }
    throw error
  }
}

/** Best effort: what stays of it grants nothing to anybody who holds a secret. */
async function dropPolicy(
  { ender }: Upstream,
  upstreamName: string,
  signal: AbortSignal,
): Promise<void> {
  const path = policyPath(upstreamName)
  await ender.call({ method: 'delete', path, signal }).catch(() => undefined)
}

function minted(
  { settings }: Upstream,
  made: { order: MintOrder; token: LeaseToken; secret: DynamicSecret | undefined },
): Minted {
  const { order, token, secret } = made
  const here: Handle = {
    accessors: [token.accessor],
    leases: secret?.leaseId === undefined ? [] : [secret.leaseId],
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
