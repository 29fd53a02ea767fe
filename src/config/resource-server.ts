import { z } from 'zod'
import { configuredName as name } from '../model/name.ts'
import type { Report } from './report.ts'

/** An API that asks about the access tokens it is shown, and may take them back. */
export interface ResourceServerConfig {
  readonly name: string
  /** It is told of tokens for one of these alone. */
  readonly audiences: readonly string[]
  /** And of these tenants alone; `['*']`: all of them. */
  readonly tenants: readonly string[]
  /** Lower-case hex SHA-256 of its secret. */
  readonly tokenSha256: string
}

const schema = z
  .strictObject({
    name,
    audiences: z
      .array(z.string().min(1).max(256))
      .min(1, 'must name an audience, as the target of an entitlement does'),
    tenants: z.array(z.union([z.literal('*'), name])).min(1, 'must name a tenant, or "*" for all'),
    token_sha256: z
      .string()
      .regex(
        /^[0-9a-f]{64}$/,
        'must be 64 lower-case hex digits, as mayfly token new --resource-server prints them',
      ),
  })
  .transform(
    ({ token_sha256, ...raw }): ResourceServerConfig => ({ ...raw, tokenSha256: token_sha256 }),
  )

/** Reads `resource_servers`: each has its own name and its own secret. */
export function parseResourceServers(
  report: Report,
  value: unknown,
  { tenants, audiences }: { tenants: ReadonlySet<string>; audiences: ReadonlySet<string> },
): ResourceServerConfig[] {
  const servers = report.list(schema, value, 'resource_servers')
  report.unique(servers, 'name', (server) => server.name)
  report.unique(servers, 'token_sha256', (server) => server.tokenSha256)
  for (const { value: server, path } of servers) {
    for (const [index, tenant] of server.tenants.entries()) {
      if (tenant === '*' || tenants.has(tenant)) continue
      report.problem(`${path}.tenants[${index}]`, `no agent has the tenant "${tenant}"`)
    }
    for (const [index, audience] of server.audiences.entries()) {
      if (audiences.has(audience)) continue
      report.warn(`${path}.audiences[${index}]`, `no entitlement is for "${audience}"`)
    }
  }
  return servers.map(({ value: server }) => server)
}
