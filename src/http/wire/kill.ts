import { z } from '@hono/zod-openapi'
import type { BlastRadius } from '../../broker/kill-dry-run.ts'
import type { Kill, KillProgress } from '../../broker/read-trouble.ts'
import { REVOCABILITIES } from '../../model/lease.ts'
import type { Selector } from '../../model/selector.ts'
import type { BlastRadiusWire, KillWire } from '../../model/wire.ts'
import { known, rfc3339, rfc3339OrNone } from './known.ts'
import {
  countsAnswer,
  selectorAnswer,
  selectorWire,
  tenantsAnswer,
  tenantsWire,
} from './trouble.ts'

const instant = z.iso.datetime()

const progressAnswer = z.strictObject({
  pending: z.int().openapi({ description: 'Ordered, and not refused upstream yet.' }),
  unknown: z.int(),
  enforced: z.int().openapi({ description: 'The upstream accepted to refuse them.' }),
  proved: z.int().openapi({ description: 'Seen refused.' }),
  expired: z.int().openapi({ description: 'Died by themselves.' }),
  remaining: z.int().openapi({ description: 'Neither proved nor expired yet.' }),
  oldest_ending_since: instant.optional().openapi({
    description: 'Since when the longest of those pending or unknown has waited for its upstream.',
  }),
  exposed_until: instant.optional().openapi({
    description: 'Until when the last of those remaining could still work.',
  }),
})

const blastRadiusAnswer = z
  .strictObject({
    refusable: z.int().openapi({ description: 'Leases that can be ended before they expire.' }),
    refused: z.int().openapi({ description: 'Leases that their upstream refuses already.' }),
    runs_out: z.int().openapi({ description: 'Leases that only run out, whoever kills them.' }),
    exposed_until: instant.optional(),
    upstreams: z.array(
      z.strictObject({
        provider: z.string(),
        revocability: z.enum(REVOCABILITIES),
        refusable: z.boolean(),
        leases: z.int(),
        refused: z.int(),
        exposed_until: instant,
      }),
    ),
    entitlements: z.array(z.strictObject({ entitlement: z.string(), leases: z.int() })),
    agents: z.array(
      z.strictObject({
        agent: z.string(),
        tenant: z.string(),
        tasks: z.int(),
        leases: z.int(),
      }),
    ),
    tasks: z.array(
      z.strictObject({
        id: z.string(),
        agent: z.string(),
        tenant: z.string(),
        purpose: z
          .string()
          .openapi({ description: 'In the words of the agent: show, do not trust.' }),
        leases: z.int(),
        ends: z.boolean().openapi({
          description: 'False: it goes on without these leases, unless it has ended.',
        }),
        ended: z.boolean().openapi({ description: 'It is over; these leases of it are not yet.' }),
      }),
    ),
  })
  .openapi('BlastRadius', {
    description: 'Lists hold the 50 with the most leases; `counts` says how many there are.',
  })

export const killAnswer = z
  .strictObject({
    id: z.string(),
    selector: selectorAnswer,
    tenants: tenantsAnswer,
    reason: z.string(),
    ordered_by: z.string(),
    created_at: instant,
    block: z.string().optional(),
    dry_run: z.boolean(),
    state: z.enum(['ordering', 'ending', 'ended']).optional().openapi({
      description:
        'ordering: committed, its leases follow; ending: some could still work; ended: none can. Absent in a dry run, and where its row is damaged and nobody knows.',
    }),
    counts: z.strictObject(countsAnswer),
    progress: progressAnswer,
    blast_radius: blastRadiusAnswer.optional().openapi({ description: 'Of a dry run.' }),
    unreadable: z.literal(true).optional().openapi({
      description: 'Its row is damaged: order it again.',
    }),
  })
  .openapi('Kill')

/** A kill as it stands; without `progress` it was ordered this moment. */
export function killWire(kill: Kill, progress: KillProgress | undefined): KillWire {
  return {
    id: kill.id,
    selector: selectorWire(kill.selector),
    ...tenantsWire(kill.tenants),
    reason: kill.reason,
    ordered_by: kill.orderedBy,
    created_at: rfc3339(kill.createdAt),
    ...known({ block: kill.block }),
    dry_run: false,
    ...known({ state: stateOf(kill, progress) }),
    counts: { ...kill.counts },
    progress: progress === undefined ? { ...NOTHING_YET } : progressWire(progress),
    ...(kill.unreadable ? { unreadable: true } : {}),
  }
}

/** Of a damaged row nobody knows whether all that it named was ordered to end. */
function stateOf(kill: Kill, progress: KillProgress | undefined): KillWire['state'] {
  if (!kill.done) return 'ordering'
  if (progress?.remaining !== 0) return 'ending'
  return kill.unreadable ? undefined : 'ended'
}

/** Whom a kill would hit; nothing bears this id. */
export function dryRunWire(order: {
  selector: Selector
  reason: string
  by: string
  radius: BlastRadius
  now: number
}): KillWire {
  const { selector, reason, by, radius, now } = order
  return {
    id: 'dry-run',
    selector: selectorWire(selector),
    ...tenantsWire(radius.tenants),
    reason,
    ordered_by: by,
    created_at: rfc3339(now),
    dry_run: true,
    counts: { ...radius.counts },
    progress: { ...NOTHING_YET },
    blast_radius: radiusWire(radius),
  }
}

const NOTHING_YET = { pending: 0, unknown: 0, enforced: 0, proved: 0, expired: 0, remaining: 0 }

function progressWire(progress: KillProgress): KillWire['progress'] {
  const { containments, remaining, oldest, exposedUntil } = progress
  return {
    ...containments,
    remaining,
    ...known({
      oldest_ending_since: rfc3339OrNone(oldest ?? null),
      exposed_until: rfc3339OrNone(exposedUntil ?? null),
    }),
  }
}

function radiusWire(radius: BlastRadius): BlastRadiusWire {
  const { refusable, refused, runsOut, exposedUntil } = radius
  const { upstreams, entitlements, agents, tasks } = radius
  return {
    refusable,
    refused,
    runs_out: runsOut,
    ...known({ exposed_until: rfc3339OrNone(exposedUntil ?? null) }),
    upstreams: upstreams.map(({ exposedUntil: until, ...upstream }) => ({
      ...upstream,
      exposed_until: rfc3339(until),
    })),
    entitlements: entitlements.map((one) => ({ ...one })),
    agents: agents.map((one) => ({ ...one })),
    tasks: tasks.map((one) => ({ ...one })),
  }
}
