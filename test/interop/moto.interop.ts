/**
 * AWS's wire shapes as others speak them: the provider against moto, and the `aws` CLI and boto3
 * against the sandbox. moto evaluates no conditions, so nothing here claims containment.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { CreateRoleCommand, GetRolePolicyCommand, IAMClient } from '@aws-sdk/client-iam'
import { awsSts } from '../../providers/aws-sts/index.ts'
import { newId, upstreamName } from '../../src/ids.ts'
import type { EndOrder, MintOrder, Provider } from '../../src/provider.ts'
import { Secret } from '../../src/secret.ts'
import { idSource } from '../fixture/ids.ts'
import { writerOf } from '../fixture/writer.ts'
import { type AwsSandbox, startAwsSandbox } from '../sandbox/aws/index.ts'
import { Ledger } from '../sandbox/ledger.ts'

export interface InteropResult {
  passed: number
  failed: number
  skipped: number
}

const run = promisify(execFile)
const ROLE_ARN = 'arn:aws:iam::123456789012:role/agent'
const MOTO_START_MS = 20_000
const CLIENT_MS = 30_000

/** Runs every check that can run here; prints a line for each, and what is missing for the rest. */
export async function runMotoInterop(): Promise<InteropResult> {
  const result: InteropResult = { passed: 0, failed: 0, skipped: 0 }
  const check = async (name: string, body: () => Promise<void>) => {
    try {
      await body()
      result.passed++
      console.log(`ok    ${name}`)
    } catch (error) {
      result.failed++
      console.log(`FAIL  ${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  const skip = (name: string, missing: string) => {
    result.skipped++
    console.log(`skip  ${name}: ${missing} is not installed`)
  }
  if (await works('python3', ['-c', 'import moto.server'])) await withMoto(check)
  else skip('aws-sts against moto', 'moto (python3 -m pip install "moto[server]")')
  const cli = await works('aws', ['--version'])
  const boto3 = await works('python3', ['-c', 'import boto3'])
  if (cli || boto3) await withSandbox(check, { cli, boto3 })
  if (!cli) skip('the aws CLI against the sandbox', 'the aws CLI')
  if (!boto3) skip('boto3 against the sandbox', 'boto3')
  return result
}

type Check = (name: string, body: () => Promise<void>) => Promise<void>

async function withMoto(check: Check): Promise<void> {
  const port = await freePort()
  const moto = spawn('python3', ['-m', 'moto.server', '-p', String(port)], { stdio: 'ignore' })
  const endpoint = `http://127.0.0.1:${port}`
  const provider = providerAt(endpoint)
  const iam = new IAMClient({ region: 'us-east-1', endpoint, credentials: MOTO_KEYS })
  try {
    await check('moto: starts', () => answering(endpoint, moto))
    await iam.send(new CreateRoleCommand({ RoleName: 'agent', AssumeRolePolicyDocument: TRUST }))
    await motoChecks(check, provider, iam)
  } catch (error) {
    await check('moto: can be used', () => Promise.reject(error))
  } finally {
    await provider.close()
    iam.destroy()
    await ended(moto)
  }
}

async function motoChecks(check: Check, provider: Provider, iam: IAMClient): Promise<void> {
  const order = mintOrder()
  await check('moto: AssumeRole answers what mint reads', async () => {
    const minted = await provider.mint(order)
    const { credential, handle, expiresAt, nativeExpiresAt } = minted
    expect(String(credential.access_key_id).startsWith('ASIA'), 'a session key')
    expect(credential.secret_access_key instanceof Secret, 'a secret key that does not print')
    expect(credential.session_token instanceof Secret, 'a session token that does not print')
    expect(String(handle.session_arn).endsWith(`/agent/${order.upstreamName}`), 'the session ARN')
    expect(expiresAt <= nativeExpiresAt, 'an end before the native one')
  })
  await check('moto: an end writes a deny document that reads back', async () => {
    const [outcome] = (await provider.revoke?.(batchOf(order))) ?? []
    expect(outcome?.ok === true, `the end succeeded (${JSON.stringify(outcome)})`)
    const input = { RoleName: 'agent', PolicyName: 'mayfly-interop-0-e1' }
    const answer = await iam.send(new GetRolePolicyCommand(input))
    const document = JSON.parse(decodeURIComponent(answer.PolicyDocument ?? ''))
    const listed = document.Statement[0].Condition.StringEquals['aws:SourceIdentity']
    expect(JSON.stringify(listed) === JSON.stringify([order.upstreamName]), 'the lease is listed')
  })
  await check('moto: a second end keeps the first', async () => {
    await provider.revoke?.(batchOf(mintOrder()))
    const names = (await provider.inventory?.())?.map((item) => item.upstreamName) ?? []
    expect(names.includes(order.upstreamName) && names.length === 2, 'both are listed')
  })
  await check('moto: a role that does not exist counts as ended', async () => {
    const group = `${ROLE_ARN}-gone`
    const [outcome] = (await provider.revoke?.({ ...batchOf(order), group })) ?? []
    expect(outcome?.ok === true, JSON.stringify(outcome))
  })
  await check('moto: doctor says what it could not check', async () => {
    const findings = await provider.check()
    expect(!findings.some(({ level }) => level === 'blocking'), JSON.stringify(findings))
    expect(
      findings.some(({ what }) => what.includes('could not be checked')),
      'it says so',
    )
  })
}

async function withSandbox(
  check: Check,
  installed: { cli: boolean; boto3: boolean },
): Promise<void> {
  const sandbox = await startAwsSandbox({ ledger: new Ledger(), propagationMs: 0 })
  sandbox.putBucket('tickets')
  sandbox.putObject('tickets', '4711/text', 'the printer is on fire')
  const role = sandbox.addRole({
    name: 'agent',
    externalId: 'interop:support',
    policies: { all: ALLOW_S3 },
  })
  const { accessKeyId, secretAccessKey } = sandbox.brokerCredentials
  const provider = providerAt(sandbox.endpoint, accessKeyId, secretAccessKey)
  try {
    const order = { ...mintOrder(), target: { role_arn: role.arn }, group: role.arn }
    const { credential } = await provider.mint(order)
    const environment = environmentOf(sandbox, credential)
    if (installed.cli) await cliChecks(check, sandbox, environment)
    if (installed.boto3) await botoChecks(check, sandbox, environment)
    await provider.revoke?.(batchOf(order))
    if (installed.cli) {
      await check('aws CLI: the ended session is refused', () =>
        refused(cli(sandbox, environment, ['s3', 'cp', 's3://tickets/4711/text', '-'])),
      )
    }
  } finally {
    await provider.close()
    await sandbox.close()
  }
}

async function cliChecks(
  check: Check,
  sandbox: AwsSandbox,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const aws = (...words: string[]) => cli(sandbox, environment, words)
  await check('aws CLI: who am I', async () => {
    const { stdout } = await aws('sts', 'get-caller-identity', '--output', 'text')
    expect(stdout.includes('assumed-role/agent/mf-'), stdout)
  })
  await check('aws CLI: lists and reads inside the intent', async () => {
    const listed = await aws('s3', 'ls', 's3://tickets/4711/')
    expect(listed.stdout.includes('text'), listed.stdout)
    const { stdout } = await aws('s3', 'cp', 's3://tickets/4711/text', '-')
    expect(stdout === 'the printer is on fire', stdout)
  })
  await check('aws CLI: is refused outside it', async () => {
    await refused(aws('s3', 'ls', 's3://tickets/'))
    await refused(aws('s3', 'cp', 's3://tickets/4712/text', '-'))
    await refused(aws('s3', 'rm', 's3://tickets/4711/text'))
  })
}

async function botoChecks(
  check: Check,
  sandbox: AwsSandbox,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  await check('boto3: reads inside the intent and is refused outside it', async () => {
    const program = `
import boto3, botocore
s3 = boto3.client('s3', endpoint_url='${sandbox.endpoint}')
print(s3.get_object(Bucket='tickets', Key='4711/text')['Body'].read().decode())
print(s3.list_objects_v2(Bucket='tickets', Prefix='4711/')['KeyCount'])
try:
    s3.put_object(Bucket='tickets', Key='4711/text', Body=b'x')
except botocore.exceptions.ClientError as error:
    print(error.response['Error']['Code'])
`
    const { stdout } = await run('python3', ['-c', program], {
      env: environment,
      timeout: CLIENT_MS,
    })
    expect(stdout.trim() === 'the printer is on fire\n1\nAccessDenied', stdout)
  })
  await check('boto3: IAM and STS answer in shapes it can read', async () => {
    const program = `
import boto3
iam = boto3.client('iam', endpoint_url='${sandbox.endpoint}')
iam.put_role_policy(RoleName='agent', PolicyName='p', PolicyDocument='''${ALLOW_S3}''')
print(iam.list_role_policies(RoleName='agent')['PolicyNames'])
print(iam.get_role_policy(RoleName='agent', PolicyName='p')['PolicyDocument']['Version'])
print(iam.get_role(RoleName='agent')['Role']['MaxSessionDuration'])
iam.delete_role_policy(RoleName='agent', PolicyName='p')
`
    const { accessKeyId, secretAccessKey } = sandbox.brokerCredentials
    const { AWS_SESSION_TOKEN: _, ...rest } = environment
    const env = { ...rest, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    const { stdout } = await run('python3', ['-c', program], { env, timeout: CLIENT_MS })
    expect(stdout.trim() === "['all', 'p']\n2012-10-17\n3600", stdout)
  })
}

function cli(sandbox: AwsSandbox, env: NodeJS.ProcessEnv, words: readonly string[]) {
  return run('aws', ['--endpoint-url', sandbox.endpoint, ...words], { env, timeout: CLIENT_MS })
}

async function refused(call: Promise<unknown>): Promise<void> {
  const answer = await call.then(
    () => 'it was allowed',
    (error: unknown) => String(error),
  )
  expect(/AccessDenied|Forbidden|403/.test(answer), answer)
}

/** Only what the client needs: no profile, no configuration file, no proxy of this machine. */
function environmentOf(
  sandbox: AwsSandbox,
  credential: Awaited<ReturnType<Provider['mint']>>['credential'],
): NodeJS.ProcessEnv {
  const text = (field: unknown) => (field instanceof Secret ? field.reveal() : String(field))
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    NO_PROXY: '127.0.0.1',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_DEFAULT_REGION: sandbox.region,
    AWS_ACCESS_KEY_ID: text(credential.access_key_id),
    AWS_SECRET_ACCESS_KEY: text(credential.secret_access_key),
    AWS_SESSION_TOKEN: text(credential.session_token),
  }
}

const MOTO_KEYS = { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'moto' }
const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }],
})
const ALLOW_S3 = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }],
})

function providerAt(
  endpoint: string,
  accessKeyId = MOTO_KEYS.accessKeyId,
  secretAccessKey = MOTO_KEYS.secretAccessKey,
): Provider {
  return awsSts.create({
    name: 'aws',
    installation: 'interop',
    writer: writerOf(),
    settings: awsSts.settings.parse({
      type: 'aws-sts',
      region: 'us-east-1',
      endpoints: { sts: endpoint, iam: endpoint },
      credentials: { access_key_id: accessKeyId, secret_access_key: 'env:SECRET' },
    }),
    clock: {
      now: Date.now,
      earliest: Date.now,
      latest: Date.now,
      monotonic: () => performance.now(),
      after: (ms, after) => {
        const timer = setTimeout(after, ms)
        return () => clearTimeout(timer)
      },
    },
    secret: () => new Secret(secretAccessKey),
    log: { info: () => {}, warn: () => {} },
  })
}

function mintOrder(): MintOrder {
  const lease = newId('lease', idSource)
  return {
    lease,
    upstreamName: upstreamName(lease),
    generation: 1,
    task: newId('task', idSource),
    agent: 'interop',
    tenant: 'support',
    holder: { key: null, chain: [] },
    target: { role_arn: ROLE_ARN },
    targetName: ROLE_ARN,
    group: ROLE_ARN,
    scope: {},
    intent: [
      { type: 'aws', actions: ['s3:GetObject'], locations: ['arn:aws:s3:::tickets/4711/*'] },
      {
        type: 'aws',
        actions: ['s3:ListBucket'],
        locations: ['arn:aws:s3:::tickets'],
        constraints: { 's3:prefix': ['4711/*'] },
      },
    ],
    ttlSeconds: 300,
    notAfter: Date.now() + 300_000,
    slot: null,
    handle: null,
    signal: AbortSignal.timeout(CLIENT_MS),
  }
}

function batchOf(order: MintOrder) {
  const end: EndOrder = {
    ...order,
    nativeExpiresAt: null,
    latestPossibleExpiry: Date.now() + 960_000,
  }
  const signal = AbortSignal.timeout(CLIENT_MS)
  return { group: order.group, orders: [end], stillRefused: [], signal }
}

async function answering(endpoint: string, moto: ChildProcess): Promise<void> {
  const deadline = Date.now() + MOTO_START_MS
  while (Date.now() < deadline) {
    if (moto.exitCode !== null) throw new Error(`it ended with ${moto.exitCode}`)
    const up = await fetch(`${endpoint}/moto-api/`).then(
      () => true,
      () => false,
    )
    if (up) return
    await sleep(200)
  }
  throw new Error('it did not answer in time')
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  await Promise.race([gone, sleep(3_000)])
  if (child.exitCode === null) child.kill('SIGKILL')
}

async function works(command: string, words: readonly string[]): Promise<boolean> {
  return run(command, [...words], { timeout: CLIENT_MS }).then(
    () => true,
    () => false,
  )
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`expected: ${what}`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { passed, failed, skipped } = await runMotoInterop()
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  process.exitCode = failed === 0 ? 0 : 1
}
