import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Answer, answerUnderFaults, Faults } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import { Account, type Propagation } from './account.ts'
import type { Call } from './caller.ts'
import { iamOperations } from './iam.ts'
import { parsePolicy } from './policy-document.ts'
import {
  type AwsKeys,
  BROKER_POLICY,
  newRole,
  newUser,
  type PolicyInput,
  type RoleInput,
  roleNamed,
  textOf,
} from './principals.ts'
import { runS3, s3OperationName } from './s3.ts'
import { authenticate, type SignedRequest, signedFor } from './sigv4.ts'
import { pretendSts, stsOperations } from './sts.ts'
import { AwsError, errorAnswer, queryAnswer, type Service } from './wire.ts'

export type { AwsKeys, PolicyInput, RoleInput } from './principals.ts'

export interface AwsSandboxOptions {
  readonly ledger: Ledger
  readonly faults?: Faults
  /** 0 or absent: any free one. */
  readonly port?: number
  /** How long a change of a role's inline policies takes to bite. Default 4,000 in every region. */
  readonly propagationMs?: Propagation
  /** The sandbox's own clock; with one of its own, signatures are not checked for freshness. */
  readonly now?: () => number
}

/** STS, IAM and a little S3 of one account, on one loopback port. */
export interface AwsSandbox {
  readonly endpoint: string
  readonly ledger: Ledger
  readonly faults: Faults
  readonly region: string
  readonly accountId: string
  /** Keys of a user who may mint on every role and write every role's policies. */
  readonly brokerCredentials: AwsKeys
  /** A user with exactly these permissions. */
  addUser(name: string, policy: PolicyInput): AwsKeys
  addRole(role: RoleInput): { readonly arn: string; readonly id: string }
  /** How often an operation was asked for, whatever came of it. */
  calls(operation: string): number
  /** The control plane's view of a role's inline policies. */
  rolePolicies(name: string): Readonly<Record<string, string>>
  /** Writes an inline policy as somebody else would. */
  putRolePolicy(role: string, name: string, policy: PolicyInput): void
  putBucket(name: string, policy?: PolicyInput): void
  putObject(bucket: string, key: string, body: string): void
  close(): Promise<void>
}

const REGION = 'us-east-1'
const ACCOUNT = '111122223333'
const BODY_BYTES = 5_000_000

export async function startAwsSandbox(options: AwsSandboxOptions): Promise<AwsSandbox> {
  const { ledger, propagationMs = 4_000, now = Date.now } = options
  const faults = options.faults ?? new Faults()
  const account = new Account(ACCOUNT)
  const calls = new Map<string, number>()
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const addUser = (name: string, policy: PolicyInput) => newUser(account, name, policy)

  return {
    endpoint: `http://127.0.0.1:${port}`,
    ledger,
    faults,
    region: REGION,
    accountId: ACCOUNT,
    brokerCredentials: addUser('broker', BROKER_POLICY),
    addUser,
    addRole: (role) => newRole(account, role, propagationMs),
    calls: (operation) => calls.get(operation) ?? 0,
    rolePolicies: (name) => {
      const { inline } = roleNamed(account, name)
      return Object.fromEntries(inline.names().map((policy) => [policy, inline.get(policy) ?? '']))
    },
    putRolePolicy: (role, name, policy) =>
      roleNamed(account, role).inline.put(name, textOf(policy), now()),
    putBucket: (name, policy) => {
      const statements = policy === undefined ? [] : parsePolicy(textOf(policy), 'resource')
      account.buckets.set(name, { objects: new Map(), policy: statements })
    },
    putObject: (bucket, key, body) => {
      account.buckets.get(bucket)?.objects.set(key, Buffer.from(body))
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await read(message)
    const form = new URLSearchParams(
      request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')
        ? request.body.toString()
        : '',
    )
    const signed = signedFor(request)
    const service = signed?.service ?? (form.has('Action') ? 'sts' : 's3')
    const operation =
      (service === 's3' ? s3OperationName(request) : form.get('Action')) ?? 'Unknown'
    calls.set(operation, (calls.get(operation) ?? 0) + 1)
    const dated = (answer: Answer): Answer => ({
      ...answer,
      headers: { ...answer.headers, date: new Date(now()).toUTCString() },
    })
    await answerUnderFaults({
      faults,
      operation,
      response,
      perform: () => dated(perform(service, operation, request, form, signed?.region ?? REGION)),
      pretend: () =>
        dated(
          service === 'sts'
            ? pretendSts(operation, form, now())
            : queryAnswer(service, operation, ''),
        ),
      refuse: (status, code) =>
        dated(
          errorAnswer(service, new AwsError(code ?? defaultCode(status), status, 'as planned')),
        ),
    })
  }

  function perform(
    service: Service,
    operation: string,
    request: SignedRequest,
    form: URLSearchParams,
    region: string,
  ): Answer {
    try {
      const clock = { now: now(), checkFreshness: options.now === undefined }
      const principal = authenticate(request, account, clock)
      const call: Call = { account, ledger, principal, now: now(), clock: now, region }
      if (service === 's3') {
        if (operation === 'Unknown') throw new AwsError('NotImplemented', 501, 'not here')
        return runS3(operation, call, request)
      }
      const run = (service === 'sts' ? stsOperations : iamOperations)[operation]
      if (!run) throw new AwsError('InvalidAction', 400, `Could not find operation ${operation}`)
      return run(call, form)
    } catch (error) {
      if (error instanceof AwsError) return errorAnswer(service, error)
      throw error
    }
  }
}

async function read(message: IncomingMessage): Promise<SignedRequest> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of message) {
    size += chunk.length
    if (size > BODY_BYTES) throw new Error('request too large')
    chunks.push(chunk)
  }
  const [path = '/', query = ''] = (message.url ?? '/').split(/\?(.*)/s)
  return {
    method: message.method ?? 'GET',
    path,
    query,
    headers: message.headers,
    body: Buffer.concat(chunks),
  }
}

function defaultCode(status: number): string {
  return status >= 500 ? 'ServiceFailure' : status === 403 ? 'AccessDenied' : 'ValidationError'
}
