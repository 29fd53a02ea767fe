import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { AGENTS } from './load.ts'
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
  writeFileSync(join(policies, 'rounds.cedar'), ROUNDS_POLICY)
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
    limits: {
      open_tasks_per_agent: 1_000,
      active_leases_per_task: 1_000,
      active_leases_per_agent: 10_000,
      issues_per_minute_per_agent: 100_000,
    },
  }
  writeFileSync(join(dir, 'mayfly.yaml'), stringify(document))
}

/** Database logins count as credential access, for which the starter set wants an approval. */
const ROUNDS_POLICY = `@id("rounds")
permit (
  principal is Mayfly::Agent,
  action == Mayfly::Action::"requestCredential",
  resource is Mayfly::Entitlement
)
when { resource.tenants.contains(principal.tenant) };
`
