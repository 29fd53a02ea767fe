import { type IssuerServer, startIssuer } from '../identity/issuer-server.ts'
import { startVaultUpstream, type VaultUpstream } from '../providers/vault/upstream.ts'
import { type AwsSandbox, startAwsSandbox } from '../sandbox/aws/index.ts'
import type { Faults } from '../sandbox/faults.ts'
import {
  type GcpSandbox,
  MINT_PERMISSIONS,
  REVOKE_PERMISSIONS,
  startGcpSandbox,
} from '../sandbox/gcp/index.ts'
import { Ledger } from '../sandbox/ledger.ts'
import { PROBE_ACTION } from '../sandbox/probes.ts'
import { APPROVED } from './asking-twice.ts'
import { OWN_AUDIENCE, OwnApi } from './own-api.ts'

const MINT_TOKEN = 'ya29.mint-identity-of-the-broker'
const REVOKE_TOKEN = 'ya29.revoke-identity-of-the-broker'
const SIEM_SECRET = `whsec_${Buffer.alloc(32, 0x5a).toString('base64')}`
export const INSTALLATION = 'crash-rounds'
export const TENANTS = ['red', 'blue'] as const
export type Tenant = (typeof TENANTS)[number]
const ROLES_PER_TENANT = 4
const FAR_REGION = 'eu-west-1'
const SHARED_ACCOUNT = 'shared@rounds.iam.gserviceaccount.com'

/** The three sandboxes under one ledger, an issuer, and all that a broker needs to use them. */
export interface Upstreams {
  readonly ledger: Ledger
  readonly aws: AwsSandbox
  readonly vault: VaultUpstream
  readonly gcp: GcpSandbox
  readonly issuer: IssuerServer
  readonly ownApi: OwnApi
  /** The broker's whole environment: its secrets. */
  readonly env: Readonly<Record<string, string>>
  readonly siemSecret: string
  /** `providers`, `entitlements` and `issuers` of a configuration. */
  readonly sections: Readonly<Record<string, unknown>>
  close(): Promise<void>
}

/** What an agent may ask for, with the intent that asks for it. */
export interface Offer {
  readonly entitlement: string
  readonly provider: 'aws' | 'vault' | 'gcp' | 'own'
  readonly tenants: readonly Tenant[]
  readonly type: string
  readonly actions: readonly string[]
  readonly locations: readonly string[]
}

export const OFFERS: readonly Offer[] = [
  ...TENANTS.flatMap((tenant) =>
    numbers(ROLES_PER_TENANT).map(
      (n): Offer => ({
        entitlement: `aws-${tenant}-${n}`,
        provider: 'aws',
        tenants: [tenant],
        type: 'aws',
        actions: ['s3:GetObject'],
        locations: ['arn:aws:s3:::tickets/*'],
      }),
    ),
  ),
  {
    entitlement: 'vault-token',
    provider: 'vault',
    tenants: TENANTS,
    type: 'vault',
    actions: ['read'],
    locations: ['secret/data/tickets/4711'],
  },
  {
    entitlement: 'own-api',
    provider: 'own',
    tenants: TENANTS,
    type: 'api',
    actions: ['tickets:read'],
    locations: ['/tickets/4711'],
  },
  {
    entitlement: APPROVED,
    provider: 'vault',
    tenants: TENANTS,
    type: 'vault',
    actions: ['read'],
    locations: ['database/creds/readonly'],
  },
  {
    entitlement: 'vault-database',
    provider: 'vault',
    tenants: TENANTS,
    type: 'vault',
    actions: ['read'],
    locations: ['database/creds/readonly'],
  },
  ...(['gcp-pool', 'gcp-shared'] as const).map(
    (entitlement): Offer => ({
      entitlement,
      provider: 'gcp',
      tenants: TENANTS,
      type: 'gcp',
      actions: ['inRole:roles/storage.objectViewer'],
      locations: ['gs://tickets/4711/*'],
    }),
  ),
]

export interface UpstreamsOptions {
  readonly ledger?: Ledger
  readonly faults?: Faults
  /** Accounts of the Google pool; each serves one lease in five minutes. */
  readonly poolSize: number
  /** Instead of 4 s and 120 s: how long a denial takes to bite. */
  readonly propagationMs: number
}

export async function startUpstreams(options: UpstreamsOptions): Promise<Upstreams> {
  const { poolSize, propagationMs, faults } = options
  const ledger = options.ledger ?? new Ledger()
  const shared = { ledger, propagationMs, ...(faults ? { faults } : {}) }
  const aws = await startAwsSandbox(shared)
  const vault = await startVaultUpstream(shared)
  const gcp = await startGcpSandbox(shared)
  const issuer = await startIssuer()
  const ownApi = new OwnApi(ledger)
  furnishAws(aws)
  const pool = furnishGcp(gcp, poolSize)
  return {
    ledger,
    aws,
    vault,
    gcp,
    issuer,
    ownApi,
    siemSecret: SIEM_SECRET,
    env: {
      AWS_BROKER_SECRET: aws.brokerCredentials.secretAccessKey,
      GCP_MINT: MINT_TOKEN,
      GCP_REVOKE: REVOKE_TOKEN,
      SIEM_SECRET,
      ...Object.fromEntries(
        Object.entries(vault.secrets).map(([name, value]) => [name.slice('env:'.length), value]),
      ),
    },
    sections: {
      issuers: [
        {
          name: 'corp',
          type: 'oidc',
          issuer: issuer.url,
          audience: 'mayfly',
          jwks_uri: issuer.jwksUri,
          algorithms: ['ES256'],
        },
      ],
      providers: providersOf({ aws, vault, gcp }),
      entitlements: OFFERS.map((offer) => entitlementOf(offer, { aws, pool })),
    },
    async close() {
      await Promise.all([aws.close(), vault.vault.close(), gcp.close(), issuer.close()])
    },
  }
}

function furnishAws(aws: AwsSandbox): void {
  aws.putBucket('tickets')
  aws.putObject('tickets', '4711', 'the printer is on fire')
  for (const tenant of TENANTS) {
    for (const n of numbers(ROLES_PER_TENANT)) {
      aws.addRole({
        name: `agent-${tenant}-${n}`,
        externalId: `${INSTALLATION}:${tenant}`,
        policies: {
          permissions: {
            Version: '2012-10-17',
            Statement: [{ Effect: 'Allow', Action: ['s3:*', PROBE_ACTION], Resource: '*' }],
          },
        },
      })
    }
  }
}

function furnishGcp(gcp: GcpSandbox, poolSize: number): string[] {
  const pool = numbers(poolSize).map((n) => `agent-${n}@rounds.iam.gserviceaccount.com`)
  for (const email of [...pool, SHARED_ACCOUNT]) {
    gcp.addServiceAccount(email, [{ role: 'roles/storage.admin', bucket: 'tickets' }])
  }
  gcp.addBroker(MINT_TOKEN, [{ permissions: MINT_PERMISSIONS, accounts: '*' }])
  gcp.addBroker(REVOKE_TOKEN, [{ permissions: REVOKE_PERMISSIONS, accounts: pool }])
  gcp.putObject('tickets', '4711/mail.txt', 'the printer burns')
  return pool
}

function providersOf(given: { aws: AwsSandbox; vault: VaultUpstream; gcp: GcpSandbox }) {
  const { aws, vault, gcp } = given
  return {
    aws: {
      type: 'aws-sts',
      region: aws.region,
      endpoints: { sts: aws.endpoint, iam: aws.endpoint },
      proof: { regions: [aws.region, FAR_REGION], endpoints: { [FAR_REGION]: aws.endpoint } },
      credentials: {
        access_key_id: aws.brokerCredentials.accessKeyId,
        secret_access_key: 'env:AWS_BROKER_SECRET',
      },
    },
    vault: vault.settings,
    own: { type: 'jwt' },
    gcp: {
      type: 'gcp',
      endpoints: gcp.endpoints,
      credentials: { access_token: 'env:GCP_MINT' },
      revoke: { credentials: { access_token: 'env:GCP_REVOKE' } },
    },
  }
}

function entitlementOf(offer: Offer, { aws, pool }: { aws: AwsSandbox; pool: string[] }) {
  const { entitlement, provider, tenants, type, actions, locations } = offer
  const of = { id: entitlement, provider, tenants, ceiling: [{ type, actions, locations }] }
  switch (entitlement) {
    case 'vault-token':
      return { ...of, target: { kind: 'token' }, default_ttl: '20s', max_ttl: '60s' }
    case 'own-api': {
      const target = { audience: OWN_AUDIENCE, introspect: 'required' }
      return { ...of, target, default_ttl: '60s', max_ttl: '5m' }
    }
    case APPROVED:
    case 'vault-database': {
      const target = { kind: 'dynamic', engine: 'database', path: locations[0] }
      const accept_residuals = ['open-database-session']
      return { ...of, target, accept_residuals, default_ttl: '30s', max_ttl: '60s' }
    }
    case 'gcp-pool':
      return { ...of, target: { service_accounts: pool }, default_ttl: '5m', max_ttl: '5m' }
    case 'gcp-shared': {
      const target = { service_account: SHARED_ACCOUNT, shared: true }
      return { ...of, target, revocability: 'expiry', default_ttl: '5m', max_ttl: '5m' }
    }
    default: {
      const target = {
        role_arn: `arn:aws:iam::${aws.accountId}:role/agent-${entitlement.slice(4)}`,
      }
      return { ...of, target, default_ttl: '60s', max_ttl: '5m' }
    }
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}
