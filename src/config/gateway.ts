import { z } from 'zod'
import { configuredName as name } from '../model/name.ts'
import {
  checkRecognition,
  type Recognition,
  type RecognitionContext,
  recognitionFields,
  recognitionOf,
} from './recognition.ts'
import type { Report } from './report.ts'

/** What stands between agents and their tools, and asks before it lets one act. */
export interface GatewayConfig extends Recognition {
  readonly name: string
  /** It learns nothing of the tasks of any other. */
  readonly tenants: readonly string[]
}

const schema = z
  .strictObject({
    name,
    tenants: z.array(name).min(1, 'must name a tenant'),
    ...recognitionFields,
  })
  .transform(
    ({ name, tenants, ...known }): GatewayConfig => ({ name, tenants, ...recognitionOf(known) }),
  )

/** Reads `gateways`. */
export function parseGateways(
  report: Report,
  value: unknown,
  context: RecognitionContext & { readonly tenants: ReadonlySet<string> },
): GatewayConfig[] {
  const items = report.list(schema, value, 'gateways')
  report.unique(items, 'name', (gateway) => gateway.name)
  checkRecognition(report, { items, kind: 'gateways' }, context)
  for (const { value: gateway, path } of items) {
    for (const tenant of gateway.tenants.filter((one) => !context.tenants.has(one))) {
      report.warn(`${path}.tenants`, `no agent has the tenant "${tenant}"`)
    }
  }
  return items.map((item) => item.value)
}
