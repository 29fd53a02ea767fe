import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compileScope, sessionPolicy } from '../../../providers/aws-sts/compile.ts'
import { awsVocabulary } from '../../../providers/aws-sts/vocabulary.ts'
import { coversIntent } from '../../../src/intent/covers.ts'
import type { IntentItem } from '../../../src/model/intent.ts'
import { conditionsHold } from '../../sandbox/aws/conditions.ts'
import { evaluate } from '../../sandbox/aws/evaluator.ts'
import { parsePolicy } from '../../sandbox/aws/policy-document.ts'
import { actionMatch, wildcardMatch } from '../../sandbox/aws/wildcard.ts'

/**
 * Ten thousand intents, compiled by Mayfly and judged by the sandbox's evaluator, which is written
 * from AWS's documentation and shares nothing with the provider. Requests are drawn close to the
 * intent: its own patterns filled in, and one character changed.
 */
const INTENTS = 10_000
const NOW = Date.parse('2026-10-10T10:00:00Z')
const SESSION = 'arn:aws:sts::111122223333:assumed-role/r/mf-x'
const ALL = parsePolicy(
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

interface Request {
  readonly action: string
  readonly resource: string
  readonly keys: ReadonlyMap<string, readonly string[]>
}

const ACTIONS = ['s3:GetObject', 's3:PutObject', 's3:GetObjectTagging', 'sqs:SendMessage']
const action = fc.oneof(
  fc.constantFrom(...ACTIONS),
  fc.constantFrom('s3:Get*', 's3:*Object', 's3:?etObject', 'S3:getobject', 'sqs:*', 's3:Put*'),
)
const tail = fc
  .array(fc.constantFrom('a', 'b', '/', '*', '?', '-'), { minLength: 1, maxLength: 6 })
  .map((letters) => letters.join(''))
const location = fc.oneof(
  tail.map((path) => `arn:aws:s3:::bucket/${path}`),
  tail.map((name) => `arn:aws:s3:::${name.replaceAll('/', '')}x/y`),
  fc.constantFrom('arn:aws:sqs:eu-west-1:111122223333:q*', 'arn:aws:s3:::bucket/a/*'),
)
const someOf = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 2 })
const constraints = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: someOf(fc.constantFrom('eu-*', 'us-east-1', 'eu-west-?')).map((regions) => ({
      'aws:RequestedRegion': regions,
    })),
  },
)
const objects = fc
  .record({ actions: someOf(action), locations: someOf(location), constraints })
  .map(({ constraints: limits, ...item }): IntentItem => {
    return { type: 'aws', ...item, ...(limits && { constraints: limits }) }
  })
const listing = someOf(tail).map(
  (prefixes): IntentItem => ({
    type: 'aws',
    actions: ['s3:ListBucket'],
    locations: ['arn:aws:s3:::bucket'],
    constraints: { 's3:prefix': prefixes },
  }),
)
const item = fc.oneof({ weight: 3, arbitrary: objects }, { weight: 1, arbitrary: listing })
const intents = fc.array(item, { minLength: 1, maxLength: 3 })

it(`P4: ${INTENTS} random intents are never wider than they say, nor than a ceiling that covers them`, () => {
  const seen = { compiled: 0, covered: 0, allowed: 0, refused: 0 }
  fc.assert(
    fc.property(intents, intents, fc.infiniteStream(fc.nat(9_999)), (intent, other, stream) => {
      const draw = (below: number) => (stream.next().value ?? 0) % below
      const scope = compileScope(intent)
      if ('refused' in scope) return
      seen.compiled += 1
      const session = parsePolicy(sessionPolicy(scope.statements, NOW + 60_000), 'identity')
      const ceilings = [other, intent.map((one) => widened(one, draw))].filter(
        (ceiling) =>
          coversIntent({ ceiling, request: intent, vocabulary: awsVocabulary }) === undefined,
      )
      seen.covered += ceilings.length
      for (let n = 0; n < 8; n += 1) {
        const request = near(intent, draw)
        const allowed = mayDo(session, request)
        seen[allowed ? 'allowed' : 'refused'] += 1
        const about = JSON.stringify({ intent, ...request, keys: [...request.keys] })
        if (allowed && !says(intent, request)) expect.fail(`wider than it says: ${about}`)
        if (!allowed && says(intent, request)) expect.fail(`narrower than it says: ${about}`)
        for (const ceiling of ceilings) {
          if (allowed && !says(ceiling, request)) {
            expect.fail(`wider than ${JSON.stringify(ceiling)}: ${about}`)
          }
        }
      }
    }),
    { numRuns: INTENTS },
  )
  expect(seen.compiled).toBeGreaterThan(INTENTS / 2)
  expect(seen.covered).toBeGreaterThan(INTENTS / 4)
  expect(Math.min(seen.allowed, seen.refused)).toBeGreaterThan(INTENTS)
}, 120_000)

/** Allowed by the role, and by a resource that names the session itself: the worst there is. */
function mayDo(session: ReturnType<typeof parsePolicy>, request: Request): boolean {
  const { action: name, resource, keys } = request
  return evaluate({
    action: name,
    resource,
    context: new Map([['aws:currenttime', [new Date(NOW).toISOString()]], ...keys]),
    identity: ALL,
    session,
    resourcePolicy: NAMES_SESSION,
    caller: { arn: SESSION, accountId: '111122223333' },
  }).allowed
}

/** What an intent itself says of a request, read by the sandbox's matchers. */
function says(intent: readonly IntentItem[], { action: name, resource, keys }: Request): boolean {
  return intent.some(
    ({ actions, locations, constraints: limits = {} }) =>
      actions.some((one) => actionMatch(one, name)) &&
      locations.some((one) => wildcardMatch(one, resource)) &&
      conditionsHold(
        Object.entries(limits).map(([key, values]) => {
          return { operator: 'StringLike', key: key.toLowerCase(), values }
        }),
        keys,
      ),
  )
}

type Draw = (below: number) => number

function near(intent: readonly IntentItem[], draw: Draw): Request {
  const pick = <T>(list: readonly T[]) => list[draw(list.length)]
  const from = pick(intent)
  const region = pick(['eu-west-1', 'us-east-1', 'ap-south-1']) ?? ''
  const prefix = filled(pick(from?.constraints?.['s3:prefix'] ?? ['a/*']) ?? '', draw)
  const keys = new Map([['aws:requestedregion', [region]]])
  if (draw(3) > 0) keys.set('s3:prefix', [draw(3) === 0 ? `${prefix}x` : prefix])
  const name = draw(4) === 0 ? pick([...ACTIONS, 's3:ListBucket']) : pick(from?.actions ?? [])
  const resource = filled(pick(from?.locations ?? []) ?? '', draw)
  return {
    action: filled(name ?? '', draw).replaceAll('/', 'x'),
    resource: draw(3) === 0 ? changed(resource, draw) : resource,
    keys,
  }
}

/** A string that a pattern matches. */
function filled(pattern: string, draw: Draw): string {
  return pattern.replace(/[*?]/g, (wild) => {
    const fill = ['a', 'b', '/', 'ab', 'Object', '', 'a/b'][draw(wild === '*' ? 7 : 3)]
    return fill ?? ''
  })
}

function changed(text: string, draw: Draw): string {
  const at = draw(text.length)
  return text.slice(0, at) + (['', 'a', '/', 'b-'][draw(4)] ?? '') + text.slice(at + 1)
}

/** An item that may well cover the one it was made from. */
function widened(from: IntentItem, draw: Draw): IntentItem {
  const locations = from.locations.map((one) => {
    const at = 13 + draw(Math.max(1, one.length - 12))
    return draw(2) === 0 ? `${one.slice(0, at)}*` : one
  })
  return { ...from, locations }
}
