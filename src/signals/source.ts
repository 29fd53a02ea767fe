import { isIP } from 'node:net'
import { z } from 'zod'
import type { Refusal } from '../model/intent.ts'
import type { Selector, SelectorFields } from '../model/selector.ts'
import { plainText } from '../model/text.ts'
import { alertMapSchema } from './alert-map.ts'
import { ALERT_PRESETS, PRESET_NAMES } from './alert-presets.ts'
import { within } from './report.ts'
import { SIGNAL_ACTIONS, type Signal } from './signal.ts'

export const secretReference = z
  .string()
  .regex(/^(?:env|file):.+$/, 'must be env:NAME or file:PATH, never the secret itself')

const names = z.array(plainText(128)).min(1).max(100)

/** The source of what Mayfly itself notices. */
export const OWN_SOURCE = 'mayfly'

/** What every kind of source says of itself. */
export const sourceFields = {
  name: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be 1 to 63 of a-z 0-9 -')
    .refine((name) => name !== OWN_SOURCE, `must not be "${OWN_SOURCE}", which is our own`),
  /** Absent: it may name anything. Otherwise nothing outside of all that is given here. */
  scope: z
    .strictObject({ tenants: names.optional(), agents: names.optional() })
    .refine((scope) => scope.tenants !== undefined || scope.agents !== undefined, {
      error: 'must name tenants or agents; leave scope out for a source that may name anything',
    })
    .optional(),
  max_action: z.enum(SIGNAL_ACTIONS).default('kill'),
  /** How many subjects it may name in a minute. */
  max_subjects_per_minute: z.int().min(1).max(100_000).default(60),
}

/** A CIDR block, or one address. */
const network = z.string().refine((text) => {
  const [address = '', bits, more] = text.split('/')
  const most = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : -1
  return more === undefined && most > 0 && (bits === undefined || isBits(bits, most))
}, 'must be a network such as 198.51.100.0/24')

/** A source of webhooks, as configured: signed, or known by a secret path and its network. */
export const webhookSourceSchema = z
  .strictObject({
    ...sourceFields,
    type: z.literal('webhook'),
    /** What its messages are signed with (Standard Webhooks). */
    secret: secretReference.optional(),
    /** Also accepted while the sender is being moved to `secret`. */
    previous_secret: secretReference.optional(),
    /** For a sender that cannot sign: the last part of the address it sends to. */
    path_secret: secretReference.optional(),
    /** Where such a sender sends from. */
    networks: z.array(network).min(1).max(200).optional(),
    /** How its own JSON is read; absent: it sends ours. */
    preset: z.enum(PRESET_NAMES).optional(),
    /** The same, or what is other than in the preset. */
    map: z.record(z.string(), z.unknown()).optional(),
  })
  .transform(({ preset, map: own, ...source }, context) => {
    const problem = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    const { secret, previous_secret, path_secret, networks } = source
    if (secret === undefined && path_secret === undefined) {
      problem('secret', 'is required; path_secret with networks is for senders that cannot sign')
    }
    if (path_secret !== undefined) {
      const signed = secret ?? previous_secret
      if (signed !== undefined) problem('path_secret', 'is for senders that cannot sign')
      if (networks === undefined) problem('networks', 'is required with path_secret')
      if (preset === undefined && own === undefined) problem('map', 'is required with path_secret')
    } else if (networks !== undefined) problem('networks', 'is used with path_secret only')
    if (preset === undefined && own === undefined) return { ...source, map: undefined }
    const written = { ...(preset === undefined ? {} : ALERT_PRESETS[preset]), ...own }
    const map = alertMapSchema.safeParse(written)
    for (const issue of map.error?.issues ?? []) {
      context.addIssue({ code: 'custom', path: ['map', ...issue.path], message: issue.message })
    }
    return { ...source, map: map.data }
  })
export type WebhookSource = z.output<typeof webhookSourceSchema>

/** What bounds every kind of source. */
export type SourceBounds = Pick<WebhookSource, 'scope' | 'max_action'>

/**
 * What a signal of this source may take effect on: the selectors, each within the source's scope,
 * that together are its subject there; or a refusal. A subject that names a tenant or agent outside
 * of the scope is refused; one that names none is bound to those of the scope.
 */
export function allowedBySource(
  source: SourceBounds,
  signal: { readonly subject: Selector; readonly action: Signal['action'] | 'note' },
): { readonly selectors: readonly Selector[] } | Refusal {
  const { action, subject } = signal
  if (within(action, source.max_action) !== action) {
    return { refused: `action "${action}" exceeds this source's max_action "${source.max_action}"` }
  }
  if (source.scope === undefined) return { selectors: [subject] }
  if ('all' in subject) return { refused: 'this source may not name all: it has a scope' }
  const tenants = bind(subject, { field: 'tenant', scope: source.scope.tenants })
  if ('refused' in tenants) return tenants
  const selectors: Selector[] = []
  for (const bound of tenants.selectors) {
    const agents = bind(bound, { field: 'agent', scope: source.scope.agents })
    if ('refused' in agents) return agents
    selectors.push(...agents.selectors)
  }
  return { selectors }
}

function bind(
  subject: SelectorFields,
  { field, scope }: { field: 'tenant' | 'agent'; scope: readonly string[] | undefined },
): { selectors: readonly SelectorFields[] } | Refusal {
  if (scope === undefined) return { selectors: [subject] }
  const named = subject[field]
  if (named === undefined) return { selectors: scope.map((one) => ({ ...subject, [field]: one })) }
  if (scope.includes(named)) return { selectors: [subject] }
  return { refused: `subject.${field} "${named}" is outside of this source's scope` }
}

function isBits(text: string, most: number): boolean {
  return /^\d{1,3}$/.test(text) && Number(text) <= most
}
