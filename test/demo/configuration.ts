import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { IntentItemWire } from '../../src/model/wire.ts'
import { AUDIENCE, WORKLOAD } from './issuer.ts'
import { EXECUTORS } from './team.ts'
import { BUCKET, INSTALLATION, PHOTOS, POOL, type Upstreams } from './upstreams.ts'

/** The agent that plans, and the source that may report it. */
/** How the broker is called by others; the demo's own port is any that is free. */
export const PUBLIC_URL = 'https://mayfly.acme.example'
export const AGENT = 'summariser'
export const SOURCE = 'siem'

/** What the task says it will do, one item for each entitlement. */
export const INTENT: IntentItemWire[] = [
  intent('tickets-s3', 'aws', { do: 's3:GetObject', on: `arn:aws:s3:::${BUCKET}/4711/*` }),
  intent('tickets-db', 'vault', { do: 'read', on: 'database/creds/tickets-readonly' }),
  intent('runbooks', 'vault', { do: 'read', on: 'secret/data/runbooks/printer' }),
  intent('photos', 'gcp', {
    do: 'inRole:roles/storage.objectViewer',
    on: `gs://${PHOTOS}/4711/*`,
  }),
]

/** It destroys: no policy permits it to a bearer of a token, nor to a key without a person's yes. */
export const PURGE = intent('tickets-purge', 'aws', {
  do: 's3:DeleteObject',
  on: `arn:aws:s3:::${BUCKET}/4711/*`,
})

function intent(identifier: string, type: string, what: { do: string; on: string }) {
  return { type, identifier, actions: [what.do], locations: [what.on] }
}

/** A configuration on disk, and what its secrets are. */
export interface WrittenConfiguration {
  readonly file: string
  /** What `env:NAME` means in it. */
  readonly env: Readonly<Record<string, string>>
  readonly operatorToken: string
  readonly gatewayToken: string
  readonly siemSecret: string
}

/** Writes `mayfly.yaml` and the policies into `dir`, as an operator would have them. */
export function writeConfiguration(
  dir: string,
  { upstreams, issuerUrl, random }: Parts,
): WrittenConfiguration {
  const operatorToken = `mfo_${Buffer.from(random(32)).toString('base64url')}`
  const gatewayToken = `mfg_${Buffer.from(random(32)).toString('base64url')}`
  const siemSecret = `whsec_${Buffer.from(random(32)).toString('base64')}`
  const file = join(dir, 'mayfly.yaml')
  mkdirSync(join(dir, 'data', 'keys'), { recursive: true, mode: 0o700 })
  cpSync(STARTER_POLICIES, join(dir, 'policies'), { recursive: true })
  writeFileSync(join(dir, 'policies', 'demo.cedar'), DEMO_POLICY, { mode: 0o600 })
  const document = documentOf({ upstreams, issuerUrl, operatorToken, gatewayToken })
  writeFileSync(file, stringify(document), { mode: 0o600 })
  const env = {
    AWS_MINT_SECRET: upstreams.aws.brokerCredentials.secretAccessKey,
    VAULT_MINT_SECRET: upstreams.vault.mint.secretId,
    VAULT_REVOKE_SECRET: upstreams.vault.revoke.secretId,
    GCP_MINT_TOKEN: upstreams.gcp.mintToken,
    GCP_REVOKE_TOKEN: upstreams.gcp.revokeToken,
    SIEM_SECRET: siemSecret,
  }
  return { file, env, operatorToken, gatewayToken, siemSecret }
}

interface Parts {
  readonly upstreams: Upstreams
  readonly issuerUrl: string
  readonly random: (bytes: number) => Uint8Array
}

const STARTER_POLICIES = fileURLToPath(new URL('../../deploy/policies', import.meta.url))

/** All the demo needs beside the starter set, which wants an approval for every credential access. */
const DEMO_POLICY = `// A database user that lives minutes and reads one table is this agent's ordinary work.

@id("ticket-database")
permit (
  principal == Mayfly::Agent::"${AGENT}",
  action == Mayfly::Action::"requestCredential",
  resource == Mayfly::Entitlement::"tickets-db"
)
when
{
  context.risk.level == "LOW" &&
  context.request.impact == ["credential-access"]
};
`

function documentOf(parts: {
  upstreams: Upstreams
  issuerUrl: string
  operatorToken: string
  gatewayToken: string
}): object {
  return {
    version: 1,
    installation: INSTALLATION,
    server: { listen: '127.0.0.1:8700', public_url: PUBLIC_URL },
    store: { url: 'sqlite:./data/mayfly.db' },
    keys: { dir: './data/keys' },
    policies: './policies',
    issuers: [
      {
        name: 'corp',
        type: 'oidc',
        issuer: parts.issuerUrl,
        audience: AUDIENCE,
        algorithms: ['ES256'],
        typ: 'at+jwt',
        one_time: true,
      },
    ],
    agents: [[AGENT, WORKLOAD], ...EXECUTORS.map((name) => [name, name])].map(([id, sub]) => ({
      id,
      tenant: 'support',
      owner: 'support@example.com',
      match: { issuer: 'corp', claims: { sub } },
    })),
    providers: providersOf(parts.upstreams),
    entitlements: entitlementsOf(parts.upstreams),
    signals: {
      sources: [
        {
          name: SOURCE,
          type: 'webhook',
          secret: 'env:SIEM_SECRET',
          scope: { tenants: ['support'] },
          max_action: 'kill',
        },
      ],
    },
    operators: [
      {
        name: 'on-call',
        roles: ['admin'],
        tenants: ['*'],
        token_sha256: sha256(parts.operatorToken),
      },
    ],
    gateways: [
      { name: 'ticket-tools', tenants: ['support'], token_sha256: sha256(parts.gatewayToken) },
    ],
  }
}

function sha256(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function providersOf({ aws, vault, gcp }: Upstreams): object {
  const appRole = (roleId: string, secret: string) => ({
    method: 'approle',
    role_id: roleId,
    secret_id: `env:${secret}`,
  })
  return {
    aws: {
      type: 'aws-sts',
      region: aws.region,
      endpoints: { sts: aws.endpoint, iam: aws.endpoint },
      credentials: {
        access_key_id: aws.brokerCredentials.accessKeyId,
        secret_access_key: 'env:AWS_MINT_SECRET',
      },
    },
    vault: {
      type: 'vault',
      address: vault.address,
      auth: appRole(vault.mint.roleId, 'VAULT_MINT_SECRET'),
      revoke_auth: appRole(vault.revoke.roleId, 'VAULT_REVOKE_SECRET'),
      mounts: { secret: 'kv' },
    },
    gcp: {
      type: 'gcp',
      endpoints: gcp.endpoints,
      credentials: { access_token: 'env:GCP_MINT_TOKEN' },
      revoke: { credentials: { access_token: 'env:GCP_REVOKE_TOKEN' } },
    },
  }
}

function entitlementsOf({ aws }: Upstreams): object[] {
  const of = (provider: string, id: string, more: object) => ({
    id,
    tenants: ['support'],
    provider,
    default_ttl: '5m',
    ...more,
  })
  const onBucket = (action: string) => [
    { type: 'aws', actions: [action], locations: [`arn:aws:s3:::${BUCKET}/*`] },
  ]
  const onVault = (location: string) => [
    { type: 'vault', actions: ['read'], locations: [location] },
  ]
  const role = { role_arn: aws.roleArn }
  return [
    of('aws', 'tickets-s3', { target: role, ceiling: onBucket('s3:GetObject') }),
    of('aws', 'tickets-purge', { target: role, ceiling: onBucket('s3:DeleteObject') }),
    of('vault', 'tickets-db', {
      target: { kind: 'dynamic', engine: 'database', path: 'database/creds/tickets-readonly' },
      ceiling: onVault('database/creds/tickets-readonly'),
      accept_residuals: ['open-database-session'],
    }),
    of('vault', 'runbooks', {
      target: { kind: 'token' },
      ceiling: onVault('secret/data/runbooks/*'),
    }),
    of('gcp', 'photos', {
      target: { service_accounts: POOL },
      ceiling: [
        {
          type: 'gcp',
          actions: ['inRole:roles/storage.objectViewer'],
          locations: [`gs://${PHOTOS}/*`],
        },
      ],
    }),
  ]
}
