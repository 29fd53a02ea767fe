import { createRequire } from 'node:module'
import { DeleteObjectCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Storage } from '@google-cloud/storage'
import nodeVault from 'node-vault'
import type { CredentialWire } from '../../src/model/wire.ts'
import { DatabaseRefusal } from '../sandbox/vault/database.ts'
import { BUCKET, PHOTOS, type Upstreams } from './upstreams.ts'

export type ProviderName = 'aws' | 'vault' | 'gcp'

/** What an upstream said to one try; anything else than an answer of its own is an exception. */
export type Tried = { readonly allowed: true; readonly got: string } | Refusal
export interface Refusal {
  readonly allowed: false
  readonly refusal: string
}

/** A credential in the hands of somebody who can use the provider's own client. */
export interface Held {
  readonly entitlement: string
  readonly provider: ProviderName
  /** The client it is used with. */
  readonly client: string
  /** Does what the task is about. */
  use(): Promise<Tried>
  /** Tries what lies beside it, which the task never asked for. */
  stray(): Promise<Tried>
  readonly within: string
  readonly outside: string
  close(): void
}

/** Takes a credential as the agent's own libraries would. */
export function hold(entitlement: string, credential: CredentialWire, clouds: Upstreams): Held {
  const fields = textFields(credential)
  switch (entitlement) {
    case 'tickets-s3':
      return holdS3(fields, clouds)
    case 'tickets-purge':
      return holdPurge(fields, clouds)
    case 'tickets-db':
      return holdDatabase(fields, clouds)
    case 'runbooks':
      return holdVault(fields)
    case 'photos':
      return holdStorage(fields, clouds)
    default:
      throw new Error(`the demo's agent has no use for ${entitlement}`)
  }
}

function holdS3(fields: Fields, clouds: Upstreams): Held {
  const s3 = s3Client(fields, clouds)
  const read = (key: string) =>
    answered(async () => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }))
      return (await Body?.transformToString()) ?? ''
    })
  return {
    entitlement: 'tickets-s3',
    provider: 'aws',
    client: '@aws-sdk/client-s3',
    within: `s3://${BUCKET}/4711/mail.txt`,
    use: () => read('4711/mail.txt'),
    outside: `s3://${BUCKET}/4712/mail.txt`,
    stray: () => read('4712/mail.txt'),
    close: () => s3.destroy(),
  }
}

/** What a person has to agree to: it can delete, and nothing else. */
function holdPurge(fields: Fields, clouds: Upstreams): Held {
  const s3 = s3Client(fields, clouds)
  const remove = (key: string) =>
    answered(async () => {
      await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }))
      return 'deleted'
    })
  return {
    entitlement: 'tickets-purge',
    provider: 'aws',
    client: '@aws-sdk/client-s3',
    within: `s3://${BUCKET}/4711/draft.txt`,
    use: () => remove('4711/draft.txt'),
    outside: `s3://${BUCKET}/4712/mail.txt`,
    stray: () => remove('4712/mail.txt'),
    close: () => s3.destroy(),
  }
}

function s3Client(fields: Fields, { aws }: Upstreams): S3Client {
  return new S3Client({
    region: fields('region'),
    endpoint: aws.endpoint,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: {
      accessKeyId: fields('access_key_id'),
      secretAccessKey: fields('secret_access_key'),
      sessionToken: fields('session_token'),
    },
  })
}

function holdDatabase(fields: Fields, { vault }: Upstreams): Held {
  const select = (table: string) =>
    answered(async () =>
      vault.database.select(fields('data.username'), fields('data.password'), table).join('\n'),
    )
  return {
    entitlement: 'tickets-db',
    provider: 'vault',
    client: 'database login',
    within: 'select * from tickets',
    use: () => select('tickets'),
    outside: 'select * from customers',
    stray: () => select('customers'),
    close: () => {},
  }
}

function holdVault(fields: Fields): Held {
  const vault = nodeVault({ endpoint: fields('address'), token: fields('token') })
  const read = (path: string) =>
    answered(async () => String((await vault.read(path)).data.data.text))
  return {
    entitlement: 'runbooks',
    provider: 'vault',
    client: 'node-vault',
    within: 'secret/data/runbooks/printer',
    use: () => read('secret/data/runbooks/printer'),
    outside: 'secret/data/payroll/accounts',
    stray: () => read('secret/data/payroll/accounts'),
    close: () => {},
  }
}

const requireOfStorage = createRequire(import.meta.resolve('@google-cloud/storage'))

function holdStorage(fields: Fields, { gcp }: Upstreams): Held {
  // The client brings its own google-auth-library, which cannot be imported from here.
  const { OAuth2Client } = requireOfStorage('google-auth-library')
  const authClient = new OAuth2Client()
  authClient.setCredentials({ access_token: fields('access_token') })
  const bucket = new Storage({
    apiEndpoint: gcp.url,
    useAuthWithCustomEndpoint: true,
    projectId: 'acme-demo',
    authClient,
    retryOptions: { autoRetry: false },
  }).bucket(PHOTOS)
  const read = (name: string) =>
    answered(async () => (await bucket.file(name).download())[0].toString('utf8'))
  return {
    entitlement: 'photos',
    provider: 'gcp',
    client: '@google-cloud/storage',
    within: `gs://${PHOTOS}/4711/smoke.txt`,
    use: () => read('4711/smoke.txt'),
    outside: `gs://${PHOTOS}/4712/slip.txt`,
    stray: () => read('4712/slip.txt'),
    close: () => {},
  }
}

/** Only the upstream's own refusal is one; a broken connection or client must not pass for it. */
async function answered(attempt: () => Promise<string>): Promise<Tried> {
  try {
    return { allowed: true, got: await attempt() }
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    return { allowed: false, refusal }
  }
}

/** The refusal in the words of each client's own error. */
function refusalOf(error: unknown): string | undefined {
  if (error instanceof DatabaseRefusal) return `${error.code} ${error.message}`
  if (!(error instanceof Error)) return undefined
  const { code, $metadata, response } = error as ClientError
  const status = $metadata?.httpStatusCode ?? response?.statusCode ?? Number(code)
  if (status !== 401 && status !== 403) return undefined
  return `${status} ${$metadata === undefined ? wordsOf(error.message) : error.name}`
}

/** What was said, out of node-vault's list of errors and Google's JSON. */
function wordsOf(message: string): string {
  return /"message":"([^"]+)"|^\s*\* (.+)$/m.exec(message)?.slice(1).find(Boolean) ?? message
}

/** Where the AWS SDK, node-vault and Google's client put the HTTP status. */
interface ClientError extends Error {
  readonly code?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly response?: { readonly statusCode?: number }
}

type Fields = (path: string) => string

/** A credential's text fields by path; one that is missing is the broker's mistake. */
function textFields(credential: CredentialWire): Fields {
  return (path) => {
    const value = path
      .split('.')
      .reduce<unknown>((at, key) => Object(at)[key] as unknown, credential)
    if (typeof value !== 'string') throw new Error(`the credential has no ${path}`)
    return value
  }
}
