import { setTimeout as sleep } from 'node:timers/promises'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { awsSts } from '../../../providers/aws-sts/index.ts'
import type { Minted } from '../../../src/provider.ts'
import { Secret } from '../../../src/secret.ts'
import { type ContractSetup, providerContract } from '../../provider-contract.ts'
import { type AwsSandbox, startAwsSandbox } from '../../sandbox/aws/index.ts'
import { Ledger } from '../../sandbox/ledger.ts'

const PROPAGATION_MS = 150

providerContract('aws-sts', setup)

async function setup(): Promise<ContractSetup> {
  const ledger = new Ledger()
  const sandbox = await startAwsSandbox({ ledger, propagationMs: PROPAGATION_MS })
  sandbox.putBucket('tickets')
  sandbox.putObject('tickets', '4711/text', 'the printer is on fire')
  sandbox.putObject('tickets', '4712/text', 'another ticket')
  const role = sandbox.addRole({
    name: 'agent-tickets',
    externalId: 'contract:contract-tenant',
    policies: {
      permissions: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }],
      },
    },
  })
  const { accessKeyId, secretAccessKey } = sandbox.brokerCredentials
  return {
    definition: awsSts,
    settings: {
      type: 'aws-sts',
      region: sandbox.region,
      endpoints: { sts: sandbox.endpoint, iam: sandbox.endpoint },
      credentials: { access_key_id: accessKeyId, secret_access_key: 'env:BROKER_SECRET' },
    },
    secrets: { 'env:BROKER_SECRET': secretAccessKey },
    target: { role_arn: role.arn },
    intent: [
      { type: 'aws', actions: ['s3:GetObject'], locations: ['arn:aws:s3:::tickets/4711/*'] },
      {
        type: 'aws',
        actions: ['s3:ListBucket'],
        locations: ['arn:aws:s3:::tickets'],
        constraints: { 's3:prefix': ['4711/*'] },
      },
    ],
    inexpressible: [
      {
        why: 'listing a bucket without a prefix',
        intent: [{ type: 'aws', actions: ['s3:ListBucket'], locations: ['arn:aws:s3:::tickets'] }],
      },
      {
        why: 'a policy variable',
        intent: [
          {
            type: 'aws',
            actions: ['s3:GetObject'],
            locations: ['arn:aws:s3:::tickets/${aws:userid}/*'],
          },
        ],
      },
      {
        why: 'more than a session policy holds',
        intent: [
          {
            type: 'aws',
            actions: ['s3:GetObject'],
            locations: Array.from({ length: 40 }, (_, i) => `arn:aws:s3:::tickets/customer-${i}/*`),
          },
        ],
      },
    ],
    ttlSeconds: 300,
    useInside: async (minted) =>
      (await read(sandbox, minted, '4711/text')) && (await list(sandbox, minted, '4711/')),
    useOutside: async (minted) =>
      (await read(sandbox, minted, '4712/text')) || (await list(sandbox, minted, '47')),
    ledger,
    faults: sandbox.faults,
    mintOperation: 'AssumeRole',
    refusal: { kind: 'fail', status: 403, code: 'AccessDenied' },
    endOperations: ['PutRolePolicy'],
    // AWS lists no sessions; what can be read back is the deny documents.
    inventorySees: 'ended',
    settle: () => sleep(PROPAGATION_MS + 50),
    close: () => sandbox.close(),
  }
}

async function read(sandbox: AwsSandbox, minted: Minted, key: string): Promise<boolean> {
  return succeeds(clientOf(sandbox, minted), (s3) =>
    s3.send(new GetObjectCommand({ Bucket: 'tickets', Key: key })),
  )
}

async function list(sandbox: AwsSandbox, minted: Minted, prefix: string): Promise<boolean> {
  return succeeds(clientOf(sandbox, minted), (s3) =>
    s3.send(new ListObjectsV2Command({ Bucket: 'tickets', Prefix: prefix })),
  )
}

async function succeeds(s3: S3Client, use: (s3: S3Client) => Promise<unknown>): Promise<boolean> {
  try {
    await use(s3)
    return true
  } catch (error) {
    if (error instanceof Error && error.name === 'AccessDenied') return false
    throw error
  } finally {
    s3.destroy()
  }
}

function clientOf(sandbox: AwsSandbox, { credential }: Minted): S3Client {
  const text = (field: unknown) => (field instanceof Secret ? field.reveal() : String(field))
  return new S3Client({
    region: sandbox.region,
    endpoint: sandbox.endpoint,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: {
      accessKeyId: text(credential.access_key_id),
      secretAccessKey: text(credential.secret_access_key),
      sessionToken: text(credential.session_token),
    },
  })
}
