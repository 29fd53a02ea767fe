import { z } from 'zod'
import { webhookSourceSchema } from '../signals/source.ts'
import { webhookSecretProblem } from '../signals/webhook.ts'
import { eventSourceSchema } from './event-source.ts'
import type { Report } from './report.ts'
import { findReferences, type ResolveSecret } from './secret-reference.ts'

const sourceSchema = z.discriminatedUnion('type', [webhookSourceSchema, eventSourceSchema])

/** A source of signals, as configured. */
export type SignalSource = z.output<typeof sourceSchema>

/** Reads `signals.sources`; their secrets must resolve, their tenants must exist. */
export function parseSignals(
  report: Report,
  value: unknown,
  context: {
    resolveSecret: ResolveSecret
    tenantNames: ReadonlySet<string>
    agents: readonly { readonly id: string }[]
  },
) {
  const section = report.parse(
    z.strictObject({ sources: z.unknown().optional() }),
    value ?? {},
    'signals',
  )
  const items = report.list(sourceSchema, section?.sources, 'signals.sources')
  report.unique(items, 'name', (source) => source.name)
  for (const { value: source, path } of items) {
    for (const [index, tenant] of (source.scope?.tenants ?? []).entries()) {
      if (!context.tenantNames.has(tenant)) {
        report.problem(`${path}.scope.tenants[${index}]`, `no agent has the tenant "${tenant}"`)
      }
    }
  }
  const agentIds = new Set(context.agents.map(({ id }) => id))
  for (const { value: source, path } of items) {
    if (source.type !== 'ssf') continue
    for (const [index, { agent, tenant }] of source.subjects.entries()) {
      const at = `${path}.subjects[${index}]`
      if (agent !== undefined && !agentIds.has(agent)) {
        report.problem(`${at}.agent`, `there is no agent "${agent}"`)
      }
      if (tenant !== undefined && !context.tenantNames.has(tenant)) {
        report.problem(`${at}.tenant`, `no agent has the tenant "${tenant}"`)
      }
    }
  }
  const { resolveSecret } = context
  const references = items.flatMap(({ value: source, path }) =>
    findReferences(report, { value: secretsOf(source), path, resolveSecret }),
  )
  for (const { value: source, path } of items) {
    if (source.type !== 'webhook') continue
    for (const key of ['secret', 'previous_secret'] as const) {
      const reference = source[key]
      const secret = reference === undefined ? undefined : resolveSecret(reference)
      const problem = secret && webhookSecretProblem(secret)
      if (problem) report.problem(`${path}.${key}`, `the secret it names ${problem}`)
    }
    const inPath = source.path_secret && resolveSecret(source.path_secret)?.reveal()
    if (inPath !== undefined && !/^[\w-]{32,256}$/.test(inPath)) {
      report.problem(
        `${path}.path_secret`,
        'the secret it names must be 32 to 256 of A-Z a-z 0-9 _ -',
      )
    }
  }
  return { sources: items.map((item) => item.value), references }
}

function secretsOf(source: SignalSource) {
  if (source.type === 'ssf') return { authorization: source.authorization }
  const { secret, previous_secret, path_secret } = source
  return { secret, previous_secret, path_secret }
}
