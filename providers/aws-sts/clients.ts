import { IAMClient } from '@aws-sdk/client-iam'
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import type { Secret } from '../../src/secret.ts'
import { upstreamError } from './errors.ts'
import type { AwsCredentials, AwsSettings } from './settings.ts'

/** A socket that connects nothing or answers nothing must not wait for the operating system. */
const CONNECT_MS = 3_000
const ANSWER_MS = 10_000
const REVOKER_SECONDS = 3_600

export interface AwsClients {
  /** Never retries: a retried AssumeRole mints twice. */
  readonly mint: STSClient
  /** Never retries: a write that was cut off may land after one that was written later. */
  readonly revoke: IAMClient
  readonly whoRevokes: STSClient
  /** The minting identity's IAM, for `check` only. */
  readonly mintIam: IAMClient
  close(): void
}

/** Clients for the minting and the ending identity, which are the same unless configured apart. */
export function createClients(
  settings: AwsSettings,
  secret: (reference: string) => Secret,
): AwsClients {
  const { endpoints = {}, revoke } = settings
  const minting = settings.credentials && keys(settings.credentials, secret)
  const ending = revoke?.credentials ? keys(revoke.credentials, secret) : minting
  const mint = new STSClient(clientOptions(settings, endpoints.sts, minting, 1))
  const base = new STSClient(clientOptions(settings, endpoints.sts, ending, 2))
  const roleArn = revoke?.role_arn
  const revoking = roleArn === undefined ? ending : () => assumed(base, roleArn)
  const all = {
    mint,
    mintIam: new IAMClient(clientOptions(settings, endpoints.iam, minting, 2)),
    revoke: new IAMClient(clientOptions(settings, endpoints.iam, revoking, 1)),
    whoRevokes: new STSClient(clientOptions(settings, endpoints.sts, revoking, 2)),
  }
  return {
    ...all,
    close: () => {
      for (const client of [base, ...Object.values(all)]) client.destroy()
    },
  }
}

interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

type KeySource = Keys | (() => Promise<Keys>)

export function clientOptions(
  { region }: Pick<AwsSettings, 'region'>,
  endpoint: string | undefined,
  credentials: KeySource | undefined,
  maxAttempts: number,
) {
  return {
    region,
    maxAttempts,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ANSWER_MS,
      throwOnRequestTimeout: true,
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  }
}

function keys(configured: AwsCredentials, secret: (reference: string) => Secret): Keys {
  return {
    accessKeyId: configured.access_key_id,
    secretAccessKey: secret(configured.secret_access_key).reveal(),
    ...(configured.session_token === undefined
      ? {}
      : { sessionToken: secret(configured.session_token).reveal() }),
  }
}

/** The ending role's own session; the SDK keeps it until shortly before it expires. */
async function assumed(base: STSClient, roleArn: string): Promise<Keys> {
  try {
    const { Credentials } = await base.send(
      new AssumeRoleCommand({
        RoleArn: roleArn,
        RoleSessionName: 'mayfly-revoker',
        DurationSeconds: REVOKER_SECONDS,
      }),
    )
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {}
    if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration) {
      throw new Error('the answer holds no credentials')
    }
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      expiration: Expiration,
    }
  } catch (error) {
    throw upstreamError(error, 'AssumeRole of the ending role')
  }
}
