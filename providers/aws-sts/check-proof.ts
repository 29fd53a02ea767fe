import { type IAMClient, SimulatePrincipalPolicyCommand } from '@aws-sdk/client-iam'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import type { Finding } from '../../src/provider.ts'
import { type AwsClients, clientOptions } from './clients.ts'
import { upstreamError } from './errors.ts'
import { endpointIn, PROBE_ACTION } from './probe-session.ts'
import type { AwsSettings } from './settings.ts'

/** Whether STS can be asked in each region in which ends are to be proved; none: nothing is proved. */
export async function checkRegions(
  { clients, settings }: { readonly clients: AwsClients; readonly settings: AwsSettings },
  abortSignal: AbortSignal,
): Promise<readonly Finding[]> {
  const { regions = [] } = settings.proof ?? {}
  const { credentials } = clients.mint.config
  return await Promise.all(
    regions.map(async (region): Promise<Finding> => {
      const options = clientOptions({ region }, endpointIn(settings, region), undefined, 1)
      const sts = new STSClient({ ...options, credentials })
      try {
        await sts.send(new GetCallerIdentityCommand({}), { abortSignal })
        return { level: 'ok', what: `STS answers in ${region}` }
      } catch (error) {
        const { message } = upstreamError(error, 'GetCallerIdentity')
        return {
          level: 'warning',
          what: `no end can be proved while STS in ${region} cannot be asked: ${message}`,
          fix: 'enable the region in the account, or take it out of proof.regions',
        }
      } finally {
        sts.destroy()
      }
    }),
  )
}

/** Whether the sessions of a role may ask what a probe asks. */
export async function checkProbe(
  iam: IAMClient,
  role: string,
  abortSignal: AbortSignal,
): Promise<Finding> {
  const question = { PolicySourceArn: role, ActionNames: [PROBE_ACTION] }
  try {
    const answer = await iam.send(new SimulatePrincipalPolicyCommand(question), { abortSignal })
    const [result] = answer.EvaluationResults ?? []
    if (result?.EvalDecision === 'allowed') {
      return { level: 'ok', what: `ends on ${role} can be proved: it allows ${PROBE_ACTION}` }
    }
    return {
      level: 'warning',
      what: `no end on ${role} can be proved: it does not allow ${PROBE_ACTION}`,
      fix: 'allow it on * in the role’s policy and permissions boundary, or leave out proof',
    }
  } catch {
    return {
      level: 'warning',
      what: `whether ends on ${role} can be proved could not be checked`,
      fix: `allow the ending identity iam:SimulatePrincipalPolicy on it; the role needs ${PROBE_ACTION}`,
    }
  }
}
