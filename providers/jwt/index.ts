import {
  defineProvider,
  type EndOrder,
  type EndOutcome,
  type Minted,
  type MintOrder,
  type OwnTokens,
  type Provider,
  type ProviderContext,
  UpstreamError,
} from '../../src/provider.ts'
import type { Secret } from '../../src/secret.ts'
import { claimsOf } from './claims.ts'
import { describe, scope } from './compile.ts'
import { EVERYWHERE } from './location.ts'
import { audiencesOf, type Settings, settings, type Target, target } from './settings.ts'
import { vocabulary } from './vocabulary.ts'

/**
 * Access tokens (RFC 9068) for one's own APIs, signed by Mayfly itself, which is the upstream here.
 * They end through introspection; `README.md` says for whom that is immediate.
 */
export const jwt = defineProvider({
  type: 'jwt',
  settings,
  target,
  vocabulary,
  // One broker has one issuer and one set of keys, however many instances are configured.
  upstreamOf: () => 'this broker',
  accessTokensOf: (target) => ({
    audiences: audiencesOf(target),
    intentOf: (actions) => ({ type: vocabulary.type, actions, locations: [EVERYWHERE] }),
  }),
  describe,
  create,
})

/** `renew` is absent since a signed token cannot be prolonged. */
function create({ settings, clock, ownTokens }: ProviderContext<Settings>): Provider {
  // Before the first token, so that nobody has to learn a key and a token at once; `check` tells.
  ownTokens?.prepare(settings.algorithm).catch(() => undefined)
  return {
    async mint(order) {
      if (ownTokens === undefined) throw new UpstreamError('refused', 'there is nobody to sign')
      const iat = Math.floor(clock.now() / 1_000)
      const exp = Math.floor(order.notAfter / 1_000)
      if (exp <= iat) throw new UpstreamError('refused', 'there is not a whole second left')
      const compiled = scope.parse(order.scope)
      const claims = claimsOf(order, { compiled, iat, exp })
      const token = await within(order.signal, () => ownTokens.sign(settings.algorithm, claims))
      return mintedAs(order, { token, exp, scope: compiled.scope })
    },
    async revoke({ orders, signal }) {
      return await Promise.all(
        orders.map((order) => end(order, { ownTokens, signal, now: clock.now() })),
      )
    },
    async check() {
      try {
        await ownTokens?.prepare(settings.algorithm)
      } catch {
        const fix = 'let the broker write into keys.dir'
        return [{ level: 'blocking', what: 'a signing key cannot be kept', fix }]
      }
      return [{ level: 'ok', what: `signs with ${settings.algorithm}; needs no permission` }]
    },
    close: async () => {},
  }
}

function mintedAs(
  { holder }: MintOrder,
  { token, exp, scope }: { token: Secret; exp: number; scope: string | undefined },
): Minted {
  const token_type = holder.key?.startsWith('jkt:') ? 'DPoP' : 'Bearer'
  return {
    credential: { type: 'jwt', access_token: token, token_type, ...(scope && { scope }) },
    expiresAt: exp * 1_000,
    nativeExpiresAt: exp * 1_000,
    handle: {},
  }
}

/**
 * The broker has committed the end before it asks for it here, so there is nothing left to do but
 * to look: introspection must say that the lease's tokens are not active any more.
 */
async function end(
  order: EndOrder,
  by: { ownTokens: OwnTokens | undefined; signal: AbortSignal; now: number },
): Promise<EndOutcome> {
  const { lease } = order
  const { ownTokens, signal, now } = by
  const honoured = await within(signal, async () => (await ownTokens?.honours(lease)) ?? true)
  if (honoured) return { lease, ok: false, error: 'introspection still calls it active' }
  // As the definition's own `target` parsed it.
  const { introspect_cache: cache = 0 } = order.target as Target
  const method = 'introspection'
  if (cache === 0) {
    const proof = { method, at: now }
    return { lease, ok: true, containment: 'proved', exposedUntil: now, proof }
  }
  const forgotten = now + cache * 1_000
  const native = order.nativeExpiresAt ?? order.latestPossibleExpiry
  return { lease, ok: true, containment: 'enforced', exposedUntil: Math.min(forgotten, native) }
}

/** What the broker does not answer in time, or fails to, has an unknown outcome. */
async function within<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  const over = new Promise<never>((_, reject) => {
    const stop = () => reject(new UpstreamError('unknown', 'no answer in time'))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([run(), over])
  } catch (error) {
    if (error instanceof UpstreamError) throw error
    const name = error instanceof Error ? error.name : 'unknown error'
    throw new UpstreamError('unknown', `the signer failed: ${name}`)
  }
}
