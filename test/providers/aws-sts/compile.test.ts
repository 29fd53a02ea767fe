import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  compileScope,
  MAX_POLICY_CHARACTERS,
  sessionPolicy,
} from '../../../providers/aws-sts/compile.ts'
import { awsSts } from '../../../providers/aws-sts/index.ts'
import type { IntentItem } from '../../../src/model/intent.ts'
import { conditionsHold } from '../../sandbox/aws/conditions.ts'
import { evaluate } from '../../sandbox/aws/evaluator.ts'
import { parsePolicy } from '../../sandbox/aws/policy-document.ts'
import { actionMatch, wildcardMatch } from '../../sandbox/aws/wildcard.ts'

const NOW = Date.parse('2026-10-10T10:00:00Z')
const ENDS = NOW + 300_000
const SESSION = 'arn:aws:sts::111122223333:assumed-role/r/mf-x'
const ALLOW_ALL = parsePolicy(
  '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
  'identity',
)
const NAMES_SESSION = parsePolicy(
  JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Principal: { AWS: SESSION }, Action: '*', Resource: '*' },
  }),
  'resource',
)

interface Attempt {
  readonly action: string
  readonly resource: string
  readonly prefix?: string | undefined
  readonly region?: string
}

/** What the sandbox's evaluator says to an attempt under the compiled policy. */
function allowed(policy: string, attempt: Attempt, named: boolean, now = NOW): boolean {
  return allows(parsePolicy(policy, 'identity'), attempt, named, now)
}

function allows(
  session: ReturnType<typeof parsePolicy>,
  attempt: Attempt,
  named: boolean,
  now = NOW,
): boolean {
  const { action, resource } = attempt
  return evaluate({
    action,
    resource,
    context: contextOf(attempt, now),
    identity: ALLOW_ALL,
    session,
    ...(named ? { resourcePolicy: NAMES_SESSION } : {}),
    caller: { arn: SESSION, accountId: '111122223333' },
  }).allowed
}

/** Whether the intent itself permits an attempt, by the sandbox's matchers. */
function inside(intent: readonly IntentItem[], attempt: Attempt): boolean {
  return intent.some(
    (item) =>
      item.actions.some((pattern) => actionMatch(pattern, attempt.action)) &&
      item.locations.some((pattern) => wildcardMatch(pattern, attempt.resource)) &&
      conditionsHold(
        Object.entries(item.constraints ?? {}).map(([key, values]) => ({
          operator: 'StringLike',
          key: key.toLowerCase(),
          values,
        })),
        contextOf(attempt, NOW),
      ),
  )
}

function contextOf({ prefix, region = 'eu-west-1' }: Attempt, now: number) {
  return new Map([
    ['aws:currenttime', [new Date(now).toISOString()]],
    ['aws:requestedregion', [region]],
    ...(prefix === undefined ? [] : [['s3:prefix', [prefix]] as const]),
  ])
}

function compiled(intent: readonly IntentItem[]): string | undefined {
  const scope = compileScope(intent)
  return 'refused' in scope ? undefined : sessionPolicy(scope.statements, ENDS)
}

const constraints = fc.oneof(
  fc.constant({}),
  fc
    .uniqueArray(fc.constantFrom('eu-*', 'us-east-1', 'eu-west-?'), { minLength: 1, maxLength: 2 })
    .map((regions) => ({ constraints: { 'aws:RequestedRegion': regions } })),
)
const objects: fc.Arbitrary<IntentItem> = fc
  .record({
    actions: fc.uniqueArray(
      fc.constantFrom('s3:GetObject', 's3:PutObject', 's3:*Object', 's3:Get*', 'dynamodb:GetItem'),
      { minLength: 1, maxLength: 2 },
    ),
    locations: fc.uniqueArray(
      fc.constantFrom(
        'arn:aws:s3:::b/*',
        'arn:aws:s3:::b/x/*',
        'arn:aws:s3:::?/y',
        'arn:aws:dynamodb:eu-west-1:111122223333:table/t',
      ),
      { minLength: 1, maxLength: 2 },
    ),
  })
  .chain((item) => constraints.map((extra) => ({ type: 'aws', ...item, ...extra })))
const listing: fc.Arbitrary<IntentItem> = fc
  .uniqueArray(fc.constantFrom('', 'x/', 'x/*', '*', 'y?'), { minLength: 1, maxLength: 2 })
  .map((prefixes) => ({
    type: 'aws',
    actions: ['s3:ListBucket'],
    locations: ['arn:aws:s3:::b'],
    constraints: { 's3:prefix': prefixes },
  }))
const intents = fc.array(fc.oneof(objects, listing), { minLength: 1, maxLength: 3 })
const attempts: readonly Attempt[] = [
  's3:GetObject',
  's3:PutObject',
  's3:DeleteObject',
  's3:GetBucketPolicy',
  's3:ListBucket',
  'dynamodb:GetItem',
  'dynamodb:DeleteTable',
  'iam:PutRolePolicy',
  'kms:Decrypt',
].flatMap((action) =>
  [
    'arn:aws:s3:::b',
    'arn:aws:s3:::b/x/1',
    'arn:aws:s3:::b/y',
    'arn:aws:s3:::c/y',
    'arn:aws:s3:::c/x/1',
    'arn:aws:dynamodb:eu-west-1:111122223333:table/t',
    'arn:aws:iam::111122223333:role/r',
  ].flatMap((resource) =>
    [undefined, '', 'x/1', 'y1', 'z'].flatMap((prefix) =>
      ['eu-west-1', 'us-east-1', 'ap-south-1'].map((region) => ({
        action,
        resource,
        prefix,
        region,
      })),
    ),
  ),
)

describe('the compiled session policy', () => {
  it('P4: allows what the intent says, no more and no less, under a role that allows all', () => {
    let compiledOnes = 0
    fc.assert(
      fc.property(intents, (intent) => {
        const policy = compiled(intent)
        if (policy === undefined) return
        compiledOnes++
        const session = parsePolicy(policy, 'identity')
        for (const attempt of attempts) {
          const wanted = inside(intent, attempt)
          for (const named of [false, true]) {
            if (allows(session, attempt, named) === wanted) continue
            const how = named ? 'named by the resource' : 'by its own policies'
            expect.fail(`${wanted} was wanted: ${JSON.stringify(attempt)} ${how}, under ${policy}`)
          }
        }
      }),
      { numRuns: 150 },
    )
    expect(compiledOnes).toBeGreaterThan(50)
  }, 60_000)

  it('P4: stays exact where items overlap in actions, places and conditions', () => {
    const intent: IntentItem[] = [
      {
        type: 'aws',
        actions: ['s3:Get*'],
        locations: ['arn:aws:s3:::b/x/*'],
        constraints: { 'aws:RequestedRegion': ['eu-*'] },
      },
      { type: 'aws', actions: ['s3:GetObject', 's3:PutObject'], locations: ['arn:aws:s3:::b/y'] },
      { type: 'aws', actions: ['dynamodb:GetItem'], locations: ['arn:aws:dynamodb:*:*:table/t'] },
    ]
    const policy = compiled(intent) ?? ''
    for (const attempt of attempts) {
      expect(allowed(policy, attempt, true), JSON.stringify(attempt)).toBe(inside(intent, attempt))
    }
  })

  it('P5: ends at its second by itself, even where the resource names the session', () => {
    const intent = [{ type: 'aws', actions: ['s3:GetObject'], locations: ['arn:aws:s3:::b/*'] }]
    const policy = compiled(intent) ?? ''
    const attempt = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/x' }
    expect(allowed(policy, attempt, true, ENDS)).toBe(true)
    expect(allowed(policy, attempt, true, ENDS + 1)).toBe(false)
    expect(sessionPolicy([], ENDS + 999)).toBe(sessionPolicy([], ENDS))
  })

  it('P4: a wildcard does not let in what could undo or outlive the credential', () => {
    const all = [{ type: 'aws', actions: ['*'], locations: ['*'] }]
    expect(compileScope(all)).toHaveProperty('refused')
    const intent = [
      { type: 'aws', actions: ['sts:*', 'ecr:*', 'kms:*', 'ssm:*'], locations: ['*'] },
    ]
    const policy = compiled(intent) ?? ''
    for (const action of [
      'sts:AssumeRole',
      'sts:AssumeRoleWithWebIdentity',
      'sts:GetWebIdentityToken',
      'ecr:GetAuthorizationToken',
      'kms:CreateGrant',
      'ssm:StartSession',
      'iam:PutRolePolicy',
    ]) {
      expect(allowed(policy, { action, resource: '*' }, true), action).toBe(false)
    }
    for (const action of ['ecr:BatchGetImage', 'kms:Decrypt', 'ssm:GetParameter']) {
      expect(allowed(policy, { action, resource: '*' }, false), action).toBe(true)
    }
  })

  it('P4: what the intent names is given, and its residual is stated', () => {
    const intent = [
      { type: 'aws', actions: ['codeartifact:GetAuthorizationToken'], locations: ['*'] },
      { type: 'aws', actions: ['sts:AssumeRole'], locations: ['arn:aws:iam::111122223333:role/x'] },
      { type: 'aws', actions: ['iam:GetRole'], locations: ['*'] },
    ]
    const scope = compileScope(intent)
    expect(scope).toMatchObject({ residuals: ['assumed-role', 'codeartifact-token'] })
    const attempt = { action: 'sts:AssumeRole', resource: 'arn:aws:iam::111122223333:role/x' }
    expect(allowed(compiled(intent) ?? '', attempt, false)).toBe(true)
  })

  it('P4: naming part of a guard beside a wildcard that needs it is refused', () => {
    const intent = [
      { type: 'aws', actions: ['sts:*'], locations: ['*'] },
      { type: 'aws', actions: ['sts:AssumeRole'], locations: ['arn:aws:iam::111122223333:role/x'] },
    ]
    expect(compileScope(intent)).toMatchObject({ refused: expect.stringContaining('sts:*') })
  })

  it.each([
    [['s3:ListBucket'], {}, 's3:prefix'],
    [['s3:*'], {}, 's3:prefix'],
    [['s3:GetObject', 's3:ListBucket'], { 's3:prefix': ['a'] }, 'item of its own'],
  ])('P4: refuses %j with %j, saying what to do', (actions, given, named) => {
    const item = { type: 'aws', actions, locations: ['arn:aws:s3:::b'], constraints: given }
    expect(compileScope([item])).toMatchObject({ refused: expect.stringContaining(named) })
  })

  it('P4: a policy STS would not take is refused before it is asked, naming the item', () => {
    const locations = (n: number) =>
      Array.from({ length: n }, (_, i) => `arn:aws:s3:::tickets/customers/${i}/*`)
    const intent = (n: number) => [
      { type: 'aws', actions: ['sqs:SendMessage'], locations: ['arn:aws:sqs:eu-west-1:1:q'] },
      { type: 'aws', actions: ['s3:GetObject'], locations: locations(n) },
    ]
    const fits = Array.from({ length: 60 }, (_, n) => n + 1).filter((n) => compiled(intent(n)))
    const most = Math.max(...fits)
    expect(compiled(intent(most))?.length).toBeLessThanOrEqual(MAX_POLICY_CHARACTERS)
    const refusal = compileScope(intent(most + 1))
    expect(refusal).toMatchObject({ refused: expect.stringMatching(/intent\[1\] weighs most/) })
  })

  it('says what a lease on the role would be', () => {
    const target = awsSts.target.parse({
      role_arn: 'arn:aws:iam::111122223333:role/agent',
      max_session_seconds: 7200,
    })
    const settings = awsSts.settings.parse({ type: 'aws-sts', region: 'eu-west-1' })
    const intent = [{ type: 'aws', actions: ['s3:GetObject'], locations: ['arn:aws:s3:::b/*'] }]
    expect(awsSts.describe({ settings, target, intent })).toMatchObject({
      group: 'arn:aws:iam::111122223333:role/agent',
      groupCapacity: 194,
      lifetime: { nativeFloorSeconds: 900, maxSeconds: 7200 },
      revocability: 'propagating',
      proof: 'expiry',
      custody: 'none',
      residuals: [],
    })
  })
})
