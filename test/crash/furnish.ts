import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { AGENTS } from './load-parts.ts'
import { writePolicies } from './policy-changes.ts'
import { EVENTS_AUDIENCE } from './security-events.ts'
import { INSTALLATION, type Upstreams } from './upstreams.ts'

/** Writes the configuration of a broker over these upstreams: six agents, one operator, one SIEM. */
export function furnish(
  dir: string,
  options: {
    readonly upstreams: Upstreams
    readonly operatorToken: string
    /** A file for the heads of the audit chain. */
    readonly anchor?: string
  },
): void {
  const { upstreams, operatorToken, anchor } = options
  const policies = join(dir, 'policies')
  mkdirSync(policies)
  cpSync(new URL('../../deploy/policies', import.meta.url), policies, { recursive: true })
  writePolicies(dir, undefined)
  const document = {
    version: 1,
    installation: INSTALLATION,
    server: { listen: '127.0.0.1:0' },
    ...upstreams.sections,
    policies: './policies',
    ...(anchor === undefined ? {} : { audit: { anchor: `file:${anchor}`, every: '1s' } }),
    agents: AGENTS.map(({ id, tenant }) => ({
      id,
      tenant,
      owner: 'rounds@example.com',
      match: { issuer: 'corp', claims: { sub: id } },
    })),
    signals: {
      sources: [
        {
          name: 'siem',
          type: 'webhook',
          secret: 'env:SIEM_SECRET',
          max_subjects_per_minute: 10_000,
        },
        {
          name: 'idp',
          type: 'ssf',
          issuer: upstreams.issuer.url,
          jwks_uri: upstreams.issuer.jwksUri,
          audience: EVENTS_AUDIENCE,
          events: { 'session-revoked': { ttl: '2s' } },
          max_subjects_per_minute: 10_000,
        },
      ],
    },
    operators: [
      {
        name: 'on-call',
        roles: ['admin'],
        tenants: ['*'],
        token_sha256: createHash('sha256').update(operatorToken).digest('hex'),
      },
    ],
    approvals: { pending_per_agent: 20, per_hour_per_agent: 10_000, cool_down: '1s' },
    resource_servers: [upstreams.ownApi.configured],
    limits: {
      high_impact_per_hour_per_agent: 100_000,
      reload_max_ended: 10_000,
      open_tasks_per_agent: 1_000,
      active_leases_per_task: 1_000,
      active_leases_per_agent: 10_000,
      issues_per_minute_per_agent: 100_000,
    },
  }
  writeFileSync(join(dir, 'mayfly.yaml'), stringify(document))
}
