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

/** The roles the starter policies know; others work only with policies that name them. */
const STARTER_ROLES = ['admin', 'responder', 'approver', 'auditor']

/** A person or automation that administers. */
export interface OperatorConfig extends Recognition {
  readonly name: string
  readonly roles: readonly string[]
  /** `['*']`: all of them. */
  readonly tenants: readonly string[]
}

const schema = z
  .strictObject({
    name,
    roles: z.array(name).min(1, 'must name at least one role'),
    tenants: z.array(z.union([z.literal('*'), name])).min(1, 'must name a tenant, or "*" for all'),
    ...recognitionFields,
  })
  .transform(
    ({ name, roles, tenants, ...known }): OperatorConfig => ({
      name,
      roles,
      tenants,
      ...recognitionOf(known),
    }),
  )

export interface OperatorContext extends RecognitionContext {
  readonly tenants: ReadonlySet<string>
}

/** Reads `operators`. */
export function parseOperators(
  report: Report,
  value: unknown,
  context: OperatorContext,
): OperatorConfig[] {
  const items = report.list(schema, value, 'operators')
  report.unique(items, 'name', (operator) => operator.name)
  checkRecognition(report, { items, kind: 'operators' }, context)
  for (const { value: operator, path } of items) {
    for (const role of operator.roles.filter((r) => !STARTER_ROLES.includes(r))) {
      report.warn(`${path}.roles`, `"${role}" is not one of ${STARTER_ROLES.join(', ')}`)
    }
    for (const tenant of operator.tenants.filter((t) => t !== '*' && !context.tenants.has(t))) {
      report.warn(`${path}.tenants`, `no agent has the tenant "${tenant}"`)
    }
  }
  return items.map((item) => item.value)
}
