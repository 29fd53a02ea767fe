import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { CredentialWire } from '../../src/model/wire.ts'
import type { Upstreams } from './upstreams.ts'

/**
 * How whoever holds this credential of the lease named `name` would use it; resolves whether the
 * upstream let them.
 */
export function useOf(
  upstreams: Upstreams,
  credential: CredentialWire,
  name: string,
): () => Promise<boolean> {
  const field = (name: string) => String((credential as Record<string, unknown>)[name] ?? '') // by type
  switch (credential.type) {
    case 'aws':
      return () => readFromS3(upstreams, field)
    case 'gcp':
      return () => readFromStorage(upstreams, field('access_token'))
    case 'jwt':
      return upstreams.ownApi.holding(field('access_token'), name)
    default: {
      const { data, token } = credential as { data?: Record<string, unknown>; token?: string } // vault
      if (token !== undefined) return () => readFromVault(upstreams, token)
      const { username, password } = data ?? {}
      return async () => upstreams.vault.vault.database.login(String(username), String(password))
    }
  }
}

/** Everything in an answer that must never be found anywhere else. */
export function secretsOf(credential: CredentialWire): string[] {
  const fields = credential as Record<string, unknown> // read by name only
  const data = (fields.data ?? {}) as Record<string, unknown> // a database login, or nothing
  return [
    fields.secret_access_key,
    fields.session_token,
    fields.token,
    fields.access_token,
    data.password,
  ].filter((value) => typeof value === 'string')
}

async function readFromS3({ aws }: Upstreams, field: (name: string) => string): Promise<boolean> {
  const s3 = new S3Client({
    region: aws.region,
    endpoint: aws.endpoint,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: {
      accessKeyId: field('access_key_id'),
      secretAccessKey: field('secret_access_key'),
      sessionToken: field('session_token'),
    },
  })
  try {
    await s3.send(new GetObjectCommand({ Bucket: 'tickets', Key: '4711' }))
    return true
  } catch {
    return false
  } finally {
    s3.destroy()
  }
}

async function readFromStorage({ gcp }: Upstreams, token: string): Promise<boolean> {
  const object = `${gcp.url}/storage/v1/b/tickets/o/4711%2Fmail.txt?alt=media`
  return await allowed(object, { authorization: `Bearer ${token}` })
}

async function readFromVault({ vault }: Upstreams, token: string): Promise<boolean> {
  return await allowed(`${vault.vault.address}/v1/secret/data/tickets/4711`, {
    'x-vault-token': token,
  })
}

async function allowed(url: string, headers: Record<string, string>): Promise<boolean> {
  const response = await fetch(url, { headers }).catch(() => undefined)
  await response?.text().catch(() => '')
  return response?.ok ?? false
}
