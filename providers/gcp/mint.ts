import { z } from 'zod'
import { type Minted, type MintOrder, UpstreamError } from '../../src/provider.ts'
import { Secret } from '../../src/secret.ts'
import type { Boundary } from './boundary.ts'
import type { Canaries } from './canary.ts'
import { LONGEST_SECONDS, SHORTEST_SECONDS, scope } from './compile.ts'
import { accountOf, target } from './target.ts'
import type { Bounds, Upstream } from './upstream.ts'

/**
 * What a lease's later end and its next generation need: the account, and the latest native expiry
 * of all generations in epoch milliseconds.
 */
export const handle = z.object({ service_account: z.string(), expire_time: z.number() })

/** Checks the order → mints the source token → narrows it → answers; the source token stays here. */
export async function mint(
  upstream: Upstream,
  order: MintOrder,
  canaries: Canaries,
): Promise<Minted> {
  const { account, delegates, scopes, boundary } = planOf(order)
  const bounds = { signal: order.signal, upstreamName: order.upstreamName }
  const seconds = Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, Math.ceil(order.ttlSeconds)))
  const answer = await upstream.generateAccessToken({ account, delegates, scopes, seconds }, bounds)
  const source = sourceOf(answer.body)
  const token = boundary ? await narrow(upstream, source.token, boundary, bounds) : source.token
  const secret = new Secret(token)
  canaries.keep(order, { token: secret, boundary, expiresAt: source.expireTime })
  const earlier = handle.safeParse(order.handle)
  const expireTime = Math.max(source.expireTime, earlier.success ? earlier.data.expire_time : 0)
  return {
    credential: { type: 'gcp', access_token: secret, service_account: account },
    expiresAt: Math.min(source.expireTime, order.notAfter),
    nativeExpiresAt: expireTime,
    handle: { service_account: account, expire_time: expireTime },
    ...(answer.upstreamTime !== undefined && { upstreamTime: answer.upstreamTime }),
  }
}

function planOf(order: MintOrder) {
  const given = target.safeParse(order.target)
  const compiled = scope.safeParse(order.scope)
  if (!given.success || !compiled.success) {
    throw new UpstreamError(
      'refused',
      'the lease was not described by this version of the provider',
    )
  }
  const account = accountOf(given.data, order.slot)
  if (account === undefined) {
    throw new UpstreamError('refused', `slot ${order.slot} is not an account of the target's pool`)
  }
  const { data } = compiled
  return {
    account,
    delegates: given.data.delegates ?? [],
    scopes: data.scopes,
    boundary: data.mode === 'boundary' ? data.boundary : undefined,
  }
}

const generated = z.object({
  accessToken: z.string().min(1),
  expireTime: z.object({
    seconds: z.coerce.number().int().positive(),
    nanos: z.number().nullish(),
  }),
})

function sourceOf(body: unknown): { token: string; expireTime: number } {
  const parsed = generated.safeParse(body)
  if (!parsed.success) {
    throw new UpstreamError('unknown', 'generateAccessToken answered without token or expiry')
  }
  const { accessToken, expireTime } = parsed.data
  const millis = Math.floor((expireTime.nanos ?? 0) / 1_000_000)
  return { token: accessToken, expireTime: expireTime.seconds * 1_000 + millis }
}

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const exchanged = z.object({ access_token: z.string().min(1) })

/**
 * Exchanges the source token for one inside the boundary, which expires with it. A failure here is
 * an unknown outcome whatever the answer was: the source token exists, though nobody holds it.
 */
async function narrow(
  upstream: Upstream,
  source: string,
  boundary: Boundary,
  bounds: Bounds,
): Promise<string> {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type: ACCESS_TOKEN,
    subject_token_type: ACCESS_TOKEN,
    subject_token: source,
    options: JSON.stringify(boundary),
  })
  const answer = await upstream.exchangeToken(form, bounds).catch((error: unknown) => {
    const known = error instanceof UpstreamError ? error : undefined
    throw new UpstreamError('unknown', known?.message ?? 'token exchange', known?.upstreamCode)
  })
  const parsed = exchanged.safeParse(answer.body)
  if (!parsed.success || parsed.data.access_token === source) {
    throw new UpstreamError('unknown', 'the token exchange answered without a narrower token')
  }
  return parsed.data.access_token
}
