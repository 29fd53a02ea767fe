import canonicalize from 'canonicalize'
import {
  type AgentConfig,
  agentSchema,
  type IssuerConfig,
  issuerSchema,
} from '../identity/settings.ts'
import type { Report } from './report.ts'

export interface ParsedIdentity {
  readonly issuers: IssuerConfig[]
  readonly agents: AgentConfig[]
  /** Names that were written, also in entries that did not parse: referring to one is no mistake. */
  readonly issuerNames: ReadonlySet<string>
  readonly tenantNames: ReadonlySet<string>
}

/** Reads `issuers` and `agents`, and what no single entry can see. */
export function parseIdentity(
  report: Report,
  document: { issuers?: unknown; agents?: unknown },
): ParsedIdentity {
  const issuers = report.list(issuerSchema, document.issuers, 'issuers')
  report.unique(issuers, 'name', (issuer) => issuer.name)
  report.unique(issuers, 'issuer', (issuer) => issuer.issuer)
  const agents = report.list(agentSchema, document.agents, 'agents')
  report.unique(agents, 'id', (agent) => agent.id)
  // Two equal selectors would match the same workloads, and both agents would always be refused.
  report.unique(agents, 'match', (agent) => canonicalize(agent.match) ?? '')
  const issuerNames = written(document.issuers, 'name')
  for (const { value, path } of agents) {
    if (!issuerNames.has(value.match.issuer)) {
      report.problem(`${path}.match.issuer`, `there is no issuer "${value.match.issuer}"`)
    }
  }
  return {
    issuers: issuers.map((item) => item.value),
    agents: agents.map((item) => item.value),
    issuerNames,
    tenantNames: written(document.agents, 'tenant'),
  }
}

function written(list: unknown, field: string): Set<string> {
  const items: unknown[] = Array.isArray(list) ? list : []
  return new Set(
    items.flatMap((item) => {
      if (typeof item !== 'object' || item === null) return []
      const value = (item as Record<string, unknown>)[field] // an object, checked above
      return typeof value === 'string' ? [value] : []
    }),
  )
}
