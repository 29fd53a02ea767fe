import {
  DeleteRolePolicyCommand,
  GetRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { describe, expect, it } from 'vitest'
import { Ledger } from '../ledger.ts'
import { type AwsSandbox, startAwsSandbox } from './index.ts'

interface Keys {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
}

class World {
  offset = 0
  readonly ledger: Ledger
  readonly sandbox: AwsSandbox
  readonly roleArn: string

  constructor(sandbox: AwsSandbox, roleArn: string, ledger: Ledger) {
    this.sandbox = sandbox
    this.roleArn = roleArn
    this.ledger = ledger
  }

  options(keys: Keys) {
    const { endpoint, region } = this.sandbox
    return { endpoint, region, credentials: keys, maxAttempts: 1, forcePathStyle: true }
  }

  async assume(input: object = {}): Promise<Keys> {
    const sts = new STSClient(this.options(this.sandbox.brokerCredentials))
    const name = { RoleSessionName: 'mf-x', SourceIdentity: 'mf-x' }
    const command = new AssumeRoleCommand({ RoleArn: this.roleArn, ...name, ...input })
    const { Credentials } = await sts.send(command).finally(() => sts.destroy())
    return {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    }
  }

  async s3(keys: Keys, command: 'get' | 'put' | 'list', prefix?: string): Promise<string> {
    const s3 = new S3Client(this.options(keys))
    const object = { Bucket: 'b', Key: 'x/1' }
    const calls = {
      get: () => s3.send(new GetObjectCommand(object)),
      put: () => s3.send(new PutObjectCommand({ ...object, Body: 'new' })),
      list: () =>
        s3.send(new ListObjectsV2Command({ Bucket: 'b', ...(prefix ? { Prefix: prefix } : {}) })),
    }
    try {
      await calls[command]()
      return 'ok'
    } catch (error) {
      return error instanceof Error ? error.name : 'unreadable'
    } finally {
      s3.destroy()
    }
  }

  async put(document: object, name = 'deny'): Promise<void> {
    const iam = new IAMClient(this.options(this.sandbox.brokerCredentials))
    const input = { RoleName: 'r', PolicyName: name, PolicyDocument: JSON.stringify(document) }
    await iam.send(new PutRolePolicyCommand(input)).finally(() => iam.destroy())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandbox.close()
  }
}

async function world(role: object = {}): Promise<World> {
  const ledger = new Ledger()
  let made: World | undefined
  const now = () => Date.now() + (made?.offset ?? 0)
  const sandbox = await startAwsSandbox({ ledger, now })
  sandbox.putBucket('b')
  sandbox.putObject('b', 'x/1', 'old')
  const { arn } = sandbox.addRole({ name: 'r', policies: { all: allow('s3:*') }, ...role })
  made = new World(sandbox, arn, ledger)
  return made
}

describe('the AWS sandbox as the real SDK sees it', () => {
  it('resolves signatures, and refuses a wrong secret, token or key', async () => {
    await using aws = await world()
    const keys = await aws.assume()
    expect(await aws.s3(keys, 'get')).toBe('ok')
    expect(await aws.s3(keys, 'put')).toBe('ok')
    expect(await aws.s3({ ...keys, secretAccessKey: 'x' }, 'get')).toBe('SignatureDoesNotMatch')
    expect(await aws.s3({ ...keys, sessionToken: 'x' }, 'get')).toBe('InvalidToken')
    expect(await aws.s3({ ...keys, accessKeyId: 'ASIAX' }, 'get')).toBe('InvalidAccessKeyId')
  })

  it('lets a session policy only narrow, and a resource policy that names the session escape it', async () => {
    await using aws = await world()
    const Policy = JSON.stringify(allow('s3:PutObject'))
    const keys = await aws.assume({ Policy })
    expect(await aws.s3(keys, 'put')).toBe('ok')
    expect(await aws.s3(keys, 'get')).toBe('AccessDenied')
    const named = (arn: string, effect = 'Allow') => ({
      Version: '2012-10-17',
      Statement: [
        { Effect: effect, Principal: { AWS: arn }, Action: 's3:GetObject', Resource: '*' },
      ],
    })
    const session = `arn:aws:sts::${aws.sandbox.accountId}:assumed-role/r/mf-x`
    aws.sandbox.putBucket('b', named(aws.roleArn))
    aws.sandbox.putObject('b', 'x/1', 'old')
    expect(await aws.s3(keys, 'get')).toBe('AccessDenied')
    aws.sandbox.putBucket('b', named(session))
    aws.sandbox.putObject('b', 'x/1', 'old')
    expect(await aws.s3(keys, 'get')).toBe('ok')
    aws.sandbox.putBucket('b', named('*', 'Deny'))
    expect(await aws.s3(await aws.assume(), 'get')).toBe('AccessDenied')
  })

  it('makes a change of the role’s policies bite after its propagation, and only where it matches', async () => {
    await using aws = await world()
    const [ended, other] = [await aws.assume(), await aws.assume({ SourceIdentity: 'mf-other' })]
    await aws.put(deny({ StringEquals: { 'aws:SourceIdentity': ['mf-x'] } }))
    expect(await aws.s3(ended, 'get')).toBe('ok')
    aws.offset = 4_000
    expect(await aws.s3(ended, 'get')).toBe('AccessDenied')
    expect(await aws.s3(other, 'get')).toBe('ok')
    expect(aws.ledger.working().map(({ name }) => name)).toEqual(['mf-other'])
    const who = new STSClient(aws.options(ended))
    expect((await who.send(new GetCallerIdentityCommand({}))).Arn).toMatch(/assumed-role\/r\/mf-x$/)
    who.destroy()
  })

  it('expires sessions, and keeps every use in the ledger', async () => {
    await using aws = await world()
    const keys = await aws.assume({ DurationSeconds: 900 })
    await aws.s3(keys, 'get')
    aws.offset = 901_000
    expect(await aws.s3(keys, 'get')).toBe('ExpiredToken')
    expect(aws.ledger.working()).toEqual([])
    expect(aws.ledger.uses).toMatchObject([{ operation: 's3:GetObject', allowed: true }])
    expect(aws.ledger.lastAllowedUse('mf-x')).toBeLessThanOrEqual(Date.now())
  })

  it('lists by prefix only what the condition allows', async () => {
    const like = { StringLike: { 's3:prefix': ['x/*'] } }
    await using aws = await world({ policies: { list: allow('s3:ListBucket', like) } })
    const keys = await aws.assume()
    expect(await aws.s3(keys, 'list', 'x/')).toBe('ok')
    expect(await aws.s3(keys, 'list', 'y/')).toBe('AccessDenied')
    expect(await aws.s3(keys, 'list')).toBe('AccessDenied')
  })

  it.each([
    [{ RoleSessionName: 'a b' }, 'ValidationError'],
    [{ SourceIdentity: 'aws:x' }, 'ValidationError'],
    [{ DurationSeconds: 60 }, 'ValidationError'],
    [{ DurationSeconds: 7200 }, 'ValidationError'],
    [{ Policy: '{}' }, 'MalformedPolicyDocumentException'],
    [
      { Policy: JSON.stringify(allow('s3:GetObject')).padEnd(2_049) },
      'PackedPolicyTooLargeException',
    ],
    [{ RoleArn: 'arn:aws:iam::111122223333:role/none' }, 'AccessDenied'],
  ])('refuses AssumeRole with %j: %s', async (input, name) => {
    await using aws = await world()
    await expect(aws.assume(input)).rejects.toMatchObject({ name })
    expect(aws.ledger.minted).toEqual([])
  })

  it('needs the trust policy’s external id, and its leave to name and to tag sessions', async () => {
    const trust = (actions: readonly string[]) => ({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: 'arn:aws:iam::111122223333:root' },
          Action: actions,
          Condition: { StringEquals: { 'sts:ExternalId': 'acme:support' } },
        },
      ],
    })
    const ExternalId = 'acme:support'
    await using bare = await world({ trust: trust(['sts:AssumeRole']) })
    await expect(bare.assume({ ExternalId })).rejects.toMatchObject({ name: 'AccessDenied' })
    await bare.assume({ ExternalId, SourceIdentity: undefined })
    await using naming = await world({ trust: trust(['sts:AssumeRole', 'sts:SetSourceIdentity']) })
    await naming.assume({ ExternalId })
    await expect(naming.assume({})).rejects.toMatchObject({ name: 'AccessDenied' })
    const Tags = [{ Key: 'mayfly-task', Value: 't' }]
    await expect(naming.assume({ ExternalId, Tags })).rejects.toMatchObject({
      name: 'AccessDenied',
    })
  })

  it('holds the quota of inline policies, and answers documents URL-encoded', async () => {
    await using aws = await world()
    const long = (n: number) => deny({ StringEquals: { 'aws:SourceIdentity': ['x'.repeat(n)] } })
    await expect(aws.put(long(10_200))).rejects.toMatchObject({ name: 'LimitExceededException' })
    await aws.put(long(9_900))
    const iam = new IAMClient(aws.options(aws.sandbox.brokerCredentials))
    const input = { RoleName: 'r', PolicyName: 'deny' }
    const { PolicyDocument } = await iam.send(new GetRolePolicyCommand(input))
    expect(PolicyDocument?.startsWith('%7B')).toBe(true)
    await iam.send(new DeleteRolePolicyCommand(input))
    await expect(iam.send(new GetRolePolicyCommand(input))).rejects.toMatchObject({
      name: 'NoSuchEntityException',
    })
    iam.destroy()
  })

  it('lets a session with rights on its own role undo a deny, as AWS would', async () => {
    await using aws = await world({ policies: { all: allow('*') } })
    const keys = await aws.assume()
    await aws.put(deny({ StringEquals: { 'aws:SourceIdentity': ['mf-x'] } }))
    const iam = new IAMClient(aws.options(keys))
    await iam.send(new DeleteRolePolicyCommand({ RoleName: 'r', PolicyName: 'deny' }))
    aws.offset = 4_001
    expect(await aws.s3(keys, 'get')).toBe('ok')
    iam.destroy()
  })
})

function allow(action: string, condition?: object) {
  const statement = { Effect: 'Allow', Action: action, Resource: '*' }
  return {
    Version: '2012-10-17',
    Statement: [condition ? { ...statement, Condition: condition } : statement],
  }
}

function deny(condition: object) {
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Deny', Action: '*', Resource: '*', Condition: condition }],
  }
}
