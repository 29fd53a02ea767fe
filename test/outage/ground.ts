import { awsSts } from '../../providers/aws-sts/index.ts'
import { gcp } from '../../providers/gcp/index.ts'
import { vault } from '../../providers/vault/index.ts'
import type { AnyProviderDefinition } from '../../src/provider.ts'
import { startVaultUpstream } from '../providers/vault/upstream.ts'
import { startAwsSandbox } from '../sandbox/aws/index.ts'
import { Faults } from '../sandbox/faults.ts'
import { MINT_PERMISSIONS, REVOKE_PERMISSIONS, startGcpSandbox } from '../sandbox/gcp/index.ts'
import { Ledger } from '../sandbox/ledger.ts'
import { PROBE_ACTION } from '../sandbox/probes.ts'
import { Wire } from './wire.ts'

export const PROVIDERS = ['aws', 'vault', 'gcp'] as const
export type ProviderName = (typeof PROVIDERS)[number]

/** One upstream that can be troubled apart from the others. */
export interface Place {
  readonly definition: AnyProviderDefinition
  readonly settings: unknown
  readonly entitlements: readonly Entitlement[]
  readonly faults: Faults
  readonly wire: Wire
  /** How far its clock is from everybody else's. */
  skewMs: number
  close(): Promise<void>
}

interface Entitlement {
  readonly id: string
  readonly target: unknown
  readonly ceiling: { type: string; actions: string[]; locations: string[] }
  readonly accept?: readonly string[]
}

export interface Ground {
  readonly ledger: Ledger
  readonly places: Readonly<Record<ProviderName, Place>>
  readonly secrets: Readonly<Record<string, string>>
}

interface GroundOptions {
  readonly now: () => number
  /** Passes simulated time. */
  readonly wait: (ms: number) => Promise<unknown>
  /** Accounts of all Google pools. */
  readonly poolSize: number
}

const ROLES = 8
const MOST_IN_POOL = 65
const FAR_REGION = 'eu-west-1'
const INSTALLATION = 'test-house'
const MINT_TOKEN = 'ya29.mint-identity-of-the-broker'
const REVOKE_TOKEN = 'ya29.revoke-identity-of-the-broker'

/** The three sandboxes under one ledger, each behind a wire of its own, on simulated time. */
export async function startGround(options: GroundOptions): Promise<Ground> {
  const ledger = new Ledger()
  const secrets: Record<string, string> = {}
  const given = { ...options, ledger, secrets }
  const places = {
    aws: await startAws(given),
    vault: await startVault(given),
    gcp: await startGcp(given),
  }
  return { ledger, places, secrets }
}

interface Given extends GroundOptions {
  readonly ledger: Ledger
  readonly secrets: Record<string, string>
}

async function startAws({ ledger, secrets, now, wait }: Given): Promise<Place> {
  const place = halfPlace(now, wait)
  const aws = await startAwsSandbox({ ledger, faults: place.faults, now: place.now })
  const wire = await Wire.to(aws.endpoint)
  aws.putBucket('tickets')
  aws.putObject('tickets', '4711', 'the printer is on fire')
  const names = Array.from({ length: ROLES }, (_, n) => `agent-${n}`)
  const policy = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: ['s3:*', PROBE_ACTION], Resource: '*' }],
  }
  for (const name of names) {
    aws.addRole({ name, externalId: `${INSTALLATION}:support`, policies: { permissions: policy } })
  }
  const { accessKeyId, secretAccessKey } = aws.brokerCredentials
  secrets['env:AWS_KEY'] = secretAccessKey
  return Object.assign(place, {
    definition: awsSts,
    settings: {
      type: 'aws-sts',
      region: aws.region,
      endpoints: { sts: wire.url, iam: wire.url },
      proof: { regions: [aws.region, FAR_REGION], endpoints: { [FAR_REGION]: wire.url } },
      credentials: { access_key_id: accessKeyId, secret_access_key: 'env:AWS_KEY' },
    },
    entitlements: names.map((name, n) => ({
      id: `aws-${n}`,
      target: { role_arn: `arn:aws:iam::${aws.accountId}:role/${name}` },
      ceiling: {
        type: 'aws',
        actions: ['s3:GetObject'],
        locations: ['arn:aws:s3:::tickets/*'],
      },
    })),
    wire,
    close: () => closing(wire, aws),
  })
}

async function startVault({ ledger, secrets, now, wait }: Given): Promise<Place> {
  const place = halfPlace(now, wait)
  const upstream = await startVaultUpstream({ ledger, faults: place.faults, now: place.now })
  const wire = await Wire.to(upstream.vault.address)
  Object.assign(secrets, upstream.secrets)
  return Object.assign(place, {
    definition: vault,
    settings: { ...upstream.settings, address: wire.url },
    entitlements: [
      {
        id: 'vault-token',
        target: { kind: 'token' },
        ceiling: { type: 'vault', actions: ['read'], locations: ['secret/data/tickets/4711'] },
      },
      {
        id: 'vault-database',
        target: { kind: 'dynamic', engine: 'database', path: 'database/creds/readonly' },
        ceiling: { type: 'vault', actions: ['read'], locations: ['database/creds/readonly'] },
        accept: ['open-database-session'],
      },
    ],
    wire,
    close: () => closing(wire, upstream.vault),
  })
}

async function startGcp({ ledger, secrets, now, wait, poolSize }: Given): Promise<Place> {
  const place = halfPlace(now, wait)
  const google = await startGcpSandbox({ ledger, faults: place.faults, now: place.now })
  const wire = await Wire.to(google.url)
  const accounts = Array.from(
    { length: poolSize },
    (_, n) => `agent-${n}@one.iam.gserviceaccount.com`,
  )
  for (const email of accounts) {
    google.addServiceAccount(email, [{ role: 'roles/storage.admin', bucket: 'tickets' }])
  }
  google.addBroker(MINT_TOKEN, [{ permissions: MINT_PERMISSIONS, accounts: '*' }])
  google.addBroker(REVOKE_TOKEN, [{ permissions: REVOKE_PERMISSIONS, accounts }])
  secrets['env:GCP_MINT'] = MINT_TOKEN
  secrets['env:GCP_REVOKE'] = REVOKE_TOKEN
  return Object.assign(place, {
    definition: gcp,
    settings: {
      type: 'gcp',
      endpoints: {
        iamcredentials: wire.url,
        iam: wire.url,
        sts: wire.url,
        storage: wire.url,
      },
      credentials: { access_token: 'env:GCP_MINT' },
      revoke: { credentials: { access_token: 'env:GCP_REVOKE' } },
    },
    entitlements: poolsOf(accounts).map((pool, n) => ({
      id: `gcp-${n}`,
      target: { service_accounts: pool },
      ceiling: {
        type: 'gcp',
        actions: ['inRole:roles/storage.objectViewer'],
        locations: ['gs://tickets/4711/*'],
      },
    })),
    wire,
    close: () => closing(wire, google),
  })
}

/** A project has 100 service accounts, unless Google was asked for more. */
function poolsOf(accounts: readonly string[]): string[][] {
  const pools: string[][] = Array.from(
    { length: Math.ceil(accounts.length / MOST_IN_POOL) },
    () => [],
  )
  for (const [n, account] of accounts.entries()) pools[n % pools.length]?.push(account)
  return pools
}

function halfPlace(now: () => number, wait: GroundOptions['wait']) {
  const faults = new Faults()
  faults.wait = wait
  const place = { faults, skewMs: 0, now: () => now() + place.skewMs }
  return place
}

async function closing(wire: Wire, sandbox: { close(): Promise<void> }): Promise<void> {
  await wire.cut()
  await sandbox.close()
}
