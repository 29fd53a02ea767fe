import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { onTestFinished } from 'vitest'
import { awsSts } from '../../../providers/aws-sts/index.ts'
import type { Doc } from '../../fixture/broker.ts'
import { ManualTime } from '../../fixture/time.ts'
import { type UpstreamHouse, upstreamHouse } from '../../fixture/upstream-house.ts'
import {
  type AwsSandbox,
  type AwsSandboxOptions,
  startAwsSandbox,
} from '../../sandbox/aws/index.ts'
import { Faults } from '../../sandbox/faults.ts'
import { Ledger } from '../../sandbox/ledger.ts'
import { ROLE } from './bench.ts'

/** What a task of such a house may do: read one ticket. */
export const TICKET = {
  type: 'aws',
  actions: ['s3:GetObject'],
  locations: ['arn:aws:s3:::tickets/4711'],
}

export interface AwsHouse {
  readonly house: UpstreamHouse
  readonly sandbox: AwsSandbox
  readonly ledger: Ledger
  readonly faults: Faults
}

/** A broker over one role of an AWS account that goes by the same clock, and a bucket of tickets. */
export async function awsHouse(
  given: {
    readonly time?: ManualTime
    /** AWS's own clock, where that is another. */
    readonly now?: () => number
    readonly propagationMs?: AwsSandboxOptions['propagationMs']
    /** What the role may do. */
    readonly allowed?: readonly string[]
    /** Regions in which ends are proved; all are this sandbox. */
    readonly proof?: readonly string[]
    /** Alters the document after the entitlement `real` is in it. */
    readonly change?: (document: Doc, sandbox: AwsSandbox) => void
  } = {},
): Promise<AwsHouse> {
  const { time = new ManualTime(), propagationMs = 4_000, allowed = ['s3:*'] } = given
  const [ledger, faults] = [new Ledger(), new Faults()]
  const sandbox = await startAwsSandbox({
    ledger,
    faults,
    propagationMs,
    now: given.now ?? time.wall,
  })
  onTestFinished(() => sandbox.close())
  sandbox.putBucket('tickets')
  sandbox.putObject('tickets', '4711', 'the printer is on fire')
  const keys = sandbox.brokerCredentials
  const house = await upstreamHouse({
    time,
    definition: awsSts,
    settings: {
      type: 'aws-sts',
      region: sandbox.region,
      endpoints: { sts: sandbox.endpoint, iam: sandbox.endpoint },
      credentials: { access_key_id: keys.accessKeyId, secret_access_key: 'env:BROKER' },
      ...(given.proof === undefined ? {} : { proof: proofIn(given.proof, sandbox) }),
    },
    secrets: { 'env:BROKER': keys.secretAccessKey },
    target: { role_arn: addRole(sandbox, ROLE, allowed) },
    intent: [TICKET],
    change: (document) => given.change?.(document, sandbox),
  })
  return { house, sandbox, ledger, faults }
}

/** A role the broker may assume for the tenant `support`; its ARN. */
export function addRole(sandbox: AwsSandbox, name: string, allowed: readonly string[]): string {
  const statement = [{ Effect: 'Allow', Action: [...allowed], Resource: '*' }]
  const permissions = { Version: '2012-10-17', Statement: statement }
  return sandbox.addRole({ name, externalId: 'test-house:support', policies: { permissions } }).arn
}

function proofIn(regions: readonly string[], { region, endpoint }: AwsSandbox) {
  const elsewhere = regions.filter((one) => one !== region)
  return { regions, endpoints: Object.fromEntries(elsewhere.map((one) => [one, endpoint])) }
}

/** Mayfly's document of the role: its name and its text. */
export function writtenDocument(sandbox: AwsSandbox): readonly [name: string, text: string] {
  const all = Object.entries(sandbox.rolePolicies(ROLE))
  return all.find(([name]) => name.startsWith('mayfly-')) ?? ['', '']
}

/** Reads the ticket as the agent would: `ok`, or AWS's name for its refusal. */
export async function readTicket(
  { region, endpoint }: AwsSandbox,
  credential: Readonly<Record<string, string>>,
): Promise<string> {
  const s3 = new S3Client({
    region,
    endpoint,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: {
      accessKeyId: credential.access_key_id ?? '',
      secretAccessKey: credential.secret_access_key ?? '',
      sessionToken: credential.session_token ?? '',
    },
  })
  try {
    await s3.send(new GetObjectCommand({ Bucket: 'tickets', Key: '4711' }))
    return 'ok'
  } catch (error) {
    return error instanceof Error ? error.name : 'unreadable'
  } finally {
    s3.destroy()
  }
}
