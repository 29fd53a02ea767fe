import { z } from 'zod'
import type { Vocabulary } from '../../src/model/intent.ts'
import { type AnyProviderDefinition, defineProvider } from '../../src/provider.ts'
import { Secret } from '../../src/secret.ts'
import { instant } from './job.ts'

const NATIVE_FLOOR_SECONDS = 1
const MAX_SECONDS = 3_600

/** An upstream that costs nothing: it answers at once, and notes when it was first told to revoke. */
export function noopProvider(firstRevoked: Map<string, number>): AnyProviderDefinition {
  return defineProvider({
    type: 'noop',
    settings: z.strictObject({ type: z.literal('noop') }),
    target: z.strictObject({ account: z.string() }),
    vocabulary,
    upstreamOf: () => 'nowhere',
    describe: ({ target, intent }) => ({
      scope: { allow: intent.map(({ actions, locations }) => ({ actions, locations })) },
      target: target.account,
      group: null,
      lifetime: { nativeFloorSeconds: NATIVE_FLOOR_SECONDS, maxSeconds: MAX_SECONDS },
      revocability: 'immediate' as const,
      proof: 'lookup' as const,
      custody: 'none' as const,
      residuals: [],
    }),
    create: ({ clock }) => ({
      mint: async (order) => ({
        credential: { type: 'noop', key: new Secret(`noop-${order.upstreamName}`) },
        expiresAt: order.notAfter,
        nativeExpiresAt: order.notAfter,
        handle: { name: order.upstreamName },
      }),
      revoke: async ({ orders }) => {
        const at = clock.now()
        for (const { upstreamName } of orders) {
          if (!firstRevoked.has(upstreamName)) firstRevoked.set(upstreamName, instant())
        }
        return orders.map(({ lease }) => ({
          lease,
          ok: true as const,
          containment: 'proved' as const,
          exposedUntil: at,
          proof: { method: 'lookup', at },
        }))
      },
      check: async () => [],
      close: async () => {},
    }),
  })
}

const vocabulary: Vocabulary = {
  type: 'noop',
  check: () => undefined,
  coversAction: (ceiling, request) => ceiling === request,
  coversLocation: (ceiling, request) =>
    ceiling.endsWith('*') ? request.startsWith(ceiling.slice(0, -1)) : ceiling === request,
  coversConstraints: () => true,
  overlaps: (a, b) => a === b,
  impactOf: () => [],
}
