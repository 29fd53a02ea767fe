import canonicalize from 'canonicalize'
import { GITHUB_ISSUER, issuerUrl } from '../identity/issuer-settings.ts'
import { matchProblem } from '../identity/match-problem.ts'
import {
  type AgentConfig,
  agentSchema,
  type IssuerConfig,
  issuerSchema,
  type MatchConfig,
} from '../identity/settings.ts'
import { readTrustRoots } from '../identity/trust-roots.ts'
import { joinPath } from '../model/schema-issue.ts'
import { refuseOwnIssuer } from './own-issuer.ts'
import type { Located, Report } from './report.ts'
import { findReferences, type ResolveSecret } from './secret-reference.ts'
import type { ServerConfig } from './server.ts'

export interface ParsedIdentity {
  readonly issuers: IssuerConfig[]
  readonly agents: AgentConfig[]
  /** What the issuers' settings refer to. */
  readonly references: readonly string[]
  /** Names that were written, also in entries that did not parse: referring to one is no mistake. */
  readonly issuerNames: ReadonlySet<string>
  readonly tenantNames: ReadonlySet<string>
}

/** Reads `issuers` and `agents`, and what no single entry can see. */
export function parseIdentity(
  report: Report,
  document: { issuers?: unknown; agents?: unknown },
  context: { resolveSecret: ResolveSecret; server: ServerConfig | undefined },
): ParsedIdentity {
  const issuers = report.list(issuerSchema, document.issuers, 'issuers')
  report.unique(issuers, 'name', (issuer) => issuer.name)
  // One trust domain may vouch by tokens and by certificates.
  for (const [kind, alike] of Map.groupBy(issuers, ({ value }) => trustKind(value))) {
    report.unique(alike, kind === 'issuer' ? 'issuer' : 'trust_domain', issuerUrl)
  }
  for (const { value, path } of issuers) {
    if (value.type !== 'oidc' || value.issuer !== GITHUB_ISSUER) continue
    report.warn(`${path}.type`, 'write github-actions: it refuses the workflows of strangers')
  }
  refuseOwnIssuer(report, issuers, context.server)
  const { resolveSecret } = context
  const references = issuers.flatMap(({ value, path }) =>
    findReferences(report, { value, path, resolveSecret }),
  )
  for (const issuer of issuers) checkTrustBundle(report, issuer, context)
  const agents = report.list(agentSchema, document.agents, 'agents')
  report.unique(agents, 'id', (agent) => agent.id)
  // Two equal selectors would match the same workloads, and both agents would always be refused.
  report.unique(agents, 'match', (agent) => canonicalize(agent.match) ?? '')
  const issuerNames = written(document.issuers, 'name')
  const parsed = issuers.map((item) => item.value)
  for (const { value, path } of agents) {
    checkMatch(report, { match: value.match, path: `${path}.match`, issuers: parsed, issuerNames })
  }
  return {
    issuers: parsed,
    agents: agents.map((item) => item.value),
    references,
    issuerNames,
    tenantNames: written(document.agents, 'tenant'),
  }
}

/** Notes a `match` of an issuer that is not there, or that does not fit the issuer's kind. */
export function checkMatch(
  report: Report,
  {
    match,
    path,
    issuers,
    issuerNames,
  }: {
    match: MatchConfig
    path: string
    issuers: readonly IssuerConfig[]
    issuerNames: ReadonlySet<string>
  },
): void {
  if (!issuerNames.has(match.issuer)) {
    report.problem(`${path}.issuer`, `there is no issuer "${match.issuer}"`)
  }
  const issuer = issuers.find(({ name }) => name === match.issuer)
  const problem = issuer && matchProblem(match, issuer)
  if (problem === undefined) return
  const claims = `${path}.claims`
  report.problem(problem.claim ? joinPath(claims, [problem.claim]) : claims, problem.message)
}

function trustKind({ type }: IssuerConfig): string {
  return type === 'spiffe' || type === 'spiffe-x509' ? type : 'issuer'
}

/** Certificates are shown to a listener with TLS alone, under authorities that can be read. */
function checkTrustBundle(
  report: Report,
  { value, path }: Located<IssuerConfig>,
  { resolveSecret, server }: { resolveSecret: ResolveSecret; server: ServerConfig | undefined },
): void {
  if (value.type !== 'spiffe-x509') return
  if (server !== undefined && server.tls === undefined) {
    report.problem(
      `${path}.type`,
      'needs server.tls: a proxy would keep the certificates to itself',
    )
  }
  const bundle = resolveSecret(value.bundle)?.reveal()
  const roots = bundle === undefined ? [] : readTrustRoots(bundle)
  if (typeof roots === 'string') report.problem(`${path}.bundle`, `${value.bundle} ${roots}`)
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
