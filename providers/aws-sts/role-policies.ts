import {
  DeleteRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  type IAMClient,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import { UpstreamError } from '../../src/provider.ts'
import { upstreamError } from './errors.ts'

export interface InlinePolicy {
  readonly name: string
  readonly text: string
}

/** One role's inline policies, over the ending identity's IAM client. Throws `UpstreamError`. */
export class RolePolicies {
  readonly #iam: IAMClient
  readonly #role: string
  readonly account: string | undefined

  constructor(iam: IAMClient, roleArn: string) {
    this.#iam = iam
    this.#role = roleNameOf(roleArn)
    this.account = accountOfRole(roleArn)
  }

  /** Every inline policy with its text; one that vanishes while being read is left out. */
  async all(abortSignal: AbortSignal): Promise<readonly InlinePolicy[]> {
    const names = await this.names(abortSignal)
    const read = await Promise.all(names.map((name) => this.read(name, abortSignal)))
    return read.filter((policy) => policy !== undefined)
  }

  async names(abortSignal: AbortSignal): Promise<readonly string[]> {
    const names: string[] = []
    let marker: string | undefined
    do {
      const command = new ListRolePoliciesCommand({
        RoleName: this.#role,
        ...(marker === undefined ? {} : { Marker: marker }),
      })
      const page = await this.#iam
        .send(command, { abortSignal })
        .catch((error) => fail(error, 'ListRolePolicies'))
      names.push(...(page.PolicyNames ?? []))
      marker = page.IsTruncated ? page.Marker : undefined
    } while (marker !== undefined)
    return names
  }

  async put({ name, text }: InlinePolicy, abortSignal: AbortSignal): Promise<void> {
    const input = { RoleName: this.#role, PolicyName: name, PolicyDocument: text }
    await this.#iam
      .send(new PutRolePolicyCommand(input), { abortSignal })
      .catch((error) => fail(error, 'PutRolePolicy'))
  }

  async delete(name: string, abortSignal: AbortSignal): Promise<void> {
    const input = { RoleName: this.#role, PolicyName: name }
    await this.#iam
      .send(new DeleteRolePolicyCommand(input), { abortSignal })
      .catch((error) => fail(error, 'DeleteRolePolicy'))
  }

  /** The role's MaxSessionDuration; undefined where it cannot be read. */
  async maxSessionSeconds(abortSignal: AbortSignal): Promise<number | undefined> {
    try {
      const answer = await this.#iam.send(new GetRoleCommand({ RoleName: this.#role }), {
        abortSignal,
      })
      return answer.Role?.MaxSessionDuration
    } catch {
      return undefined
    }
  }

  /** Undefined where there is no such policy. */
  async read(name: string, abortSignal: AbortSignal): Promise<InlinePolicy | undefined> {
    const input = { RoleName: this.#role, PolicyName: name }
    try {
      const answer = await this.#iam.send(new GetRolePolicyCommand(input), { abortSignal })
      return { name, text: decoded(answer.PolicyDocument ?? '') }
    } catch (error) {
      const failure = upstreamError(error, 'GetRolePolicy')
      if (failure.upstreamCode === 'NoSuchEntity') return undefined
      throw failure
    }
  }
}

/** IAM calls name a role by its name alone: the account is whoever asks. */
export function accountOfRole(roleArn: string): string | undefined {
  return roleArn.split(':')[4]
}

/**
 * Whether that is the account of the role; false: not known yet. A role of the same name in another
 * account is not the one to write: throws `UpstreamError`.
 */
export function isOfAccount(
  { account }: Pick<RolePolicies, 'account'>,
  asking: string | undefined,
): boolean {
  if (asking === undefined || asking === account) return asking !== undefined
  throw new UpstreamError(
    'refused',
    `the role is in account ${account}, but the identity that ends leases is of ${asking}: use a provider of that account, or set revoke.role_arn to a role there`,
  )
}

function roleNameOf(roleArn: string): string {
  return roleArn.slice(roleArn.lastIndexOf('/') + 1)
}

/** IAM answers documents URL-encoded. */
function decoded(document: string): string {
  try {
    return decodeURIComponent(document)
  } catch {
    return document
  }
}

function fail(error: unknown, operation: string): never {
  const failure: UpstreamError = upstreamError(error, operation)
  throw failure
}
