import { AssumeRoleCommand, GetAccessKeyInfoCommand, STSClient } from '@aws-sdk/client-sts'
import { type AwsClients, clientOptions } from './clients.ts'
import { upstreamError } from './errors.ts'
import { externalIdOf } from './mint.ts'
import { type AwsSettings, NATIVE_FLOOR_SECONDS, targetSchema } from './settings.ts'

/** Unlike GetCallerIdentity it can be denied; it tells the account of the session's own key. */
export const PROBE_ACTION = 'sts:GetAccessKeyInfo'

const SESSION_POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: PROBE_ACTION, Resource: '*' },
    { Effect: 'Deny', NotAction: PROBE_ACTION, Resource: '*' },
  ],
})

/** The words in which AWS tells such a denial from one by nobody's leave. */
const EXPLICITLY = /with an explicit deny in an identity-based policy/

/** `unclear`: whatever else came of it, which shows nothing. */
export type Look = 'allowed' | 'refused' | 'unclear'

export interface ProbeSession {
  readonly name: string
  look(region: string, signal: AbortSignal): Promise<Look>
  /** Forgets its credentials; they die 15 minutes after they were minted. */
  close(): void
}

export interface Probing {
  readonly installation: string
  readonly settings: AwsSettings
  readonly clients: AwsClients
}

/**
 * A session of a lease's role under a name of its own, which may do nothing but ask which account
 * its own key is of. Its credentials are in memory only. Throws `UpstreamError`.
 */
export async function openProbe(
  { installation, settings, clients }: Probing,
  of: { readonly name: string; readonly target: unknown; readonly tenant: string },
  abortSignal: AbortSignal,
): Promise<ProbeSession> {
  const { name, tenant } = of
  const target = targetSchema.parse(of.target)
  const command = new AssumeRoleCommand({
    RoleArn: target.role_arn,
    RoleSessionName: name,
    SourceIdentity: name,
    ExternalId: externalIdOf(target, { installation, tenant }),
    DurationSeconds: NATIVE_FLOOR_SECONDS,
    Policy: SESSION_POLICY,
  })
  const answer = await clients.mint.send(command, { abortSignal }).catch((error: unknown) => {
    throw upstreamError(error, 'AssumeRole of a probe')
  })
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = answer.Credentials ?? {}
  const keys = {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
  }
  const byRegion = new Map<string, STSClient>()
  const clientIn = (region: string) => {
    const known = byRegion.get(region)
    const endpoint = endpointIn(settings, region)
    const made = known ?? new STSClient(clientOptions({ region }, endpoint, keys, 1))
    byRegion.set(region, made)
    return made
  }
  return {
    name,
    look: async (region, signal) => {
      const question = new GetAccessKeyInfoCommand({ AccessKeyId })
      return await clientIn(region)
        .send(question, { abortSignal: signal })
        .then(() => 'allowed' as const, lookOf)
    },
    close: () => {
      for (const client of byRegion.values()) client.destroy()
    },
  }
}

function lookOf(error: unknown): Look {
  if (!(error instanceof Error) || !error.name.startsWith('AccessDenied')) return 'unclear'
  return EXPLICITLY.test(error.message) ? 'refused' : 'unclear'
}

/** AWS's own one of the region, unless another is configured. */
export function endpointIn({ region: home, endpoints, proof }: AwsSettings, region: string) {
  return proof?.endpoints?.[region] ?? (region === home ? endpoints?.sts : undefined)
}
