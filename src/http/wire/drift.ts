import { z } from '@hono/zod-openapi'
import { ADVICE, type Finding } from '../../broker/drift.ts'
import type { Reconciliation } from '../../broker/reconcile.ts'
import { DRIFT_KINDS } from '../../model/drift.ts'
import type { FindingWire, ReconciliationWire } from '../../model/wire.ts'
import { known, rfc3339 } from './known.ts'

const findingAnswer = z
  .strictObject({
    kind: z.enum(DRIFT_KINDS),
    what: z.string(),
    upstream_name: z.string().optional(),
    slot: z.string().optional(),
    lease: z.string().optional(),
    works: z.boolean().optional().openapi({
      description: 'Whether the upstream accepts it now, as far as that was seen.',
    }),
    repair: z.enum(['done', 'possible', 'failed', 'none']),
    error: z.string().optional().openapi({ description: 'Why the repair did not work.' }),
    advice: z.string(),
  })
  .openapi('Drift')

export const reconciliationAnswer = z
  .strictObject({
    provider: z.string(),
    looked_at: z.iso.datetime(),
    items: z.int().optional().openapi({
      description: 'How many things it listed; absent: it could not be asked, or lists nothing.',
    }),
    findings: z.array(findingAnswer),
    error: z.string().optional(),
  })
  .openapi('Reconciliation')

export function reconciliationWire(seen: Reconciliation): ReconciliationWire {
  return {
    provider: seen.provider,
    looked_at: rfc3339(seen.startedAt),
    ...known({ items: seen.items }),
    findings: seen.findings.map(findingWire),
    ...known({ error: seen.error }),
  }
}

function findingWire({ drift, repair }: Finding): FindingWire {
  const { kind, what, upstreamName, slot, lease, works } = drift
  const failed = typeof repair === 'object' ? repair.failed : undefined
  return {
    kind,
    what,
    ...known({ upstream_name: upstreamName, slot, lease: lease?.id, works }),
    repair: typeof repair === 'object' ? 'failed' : repair,
    ...known({ error: failed }),
    advice: ADVICE[kind],
  }
}
