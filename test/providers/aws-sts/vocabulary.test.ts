import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { patternCovers, patternsOverlap } from '../../../providers/aws-sts/patterns.ts'
import { awsVocabulary } from '../../../providers/aws-sts/vocabulary.ts'
import { impactsOf } from '../../../src/intent/impact.ts'
import { conditionsHold } from '../../sandbox/aws/conditions.ts'
import { actionMatch, arnLike, wildcardMatch } from '../../sandbox/aws/wildcard.ts'

const symbol = fc.constantFrom('a', 'b', '/', '-', '*', '?')
const pattern = fc.array(symbol, { minLength: 1, maxLength: 8 }).map((s) => s.join(''))
const filling = fc.array(fc.constantFrom('a', 'b', '/', '-', ':', ''), { maxLength: 4 })

/** A pattern and a string it matches, its wildcards filled at random. */
function concrete(text: string, fills: readonly (readonly string[])[]): string {
  let i = 0
  return text.replace(/[*?]/g, (wild) => {
    const fill = fills[i++ % Math.max(1, fills.length)] ?? []
    return wild === '*' ? fill.join('') : (fill.find((c) => c !== '') ?? 'b')
  })
}

/** Widens some characters of a pattern, so that containment is common enough to test. */
function widened(text: string, choices: readonly number[]): string {
  return [...text]
    .map((c, i) => {
      const choice = (choices[i % Math.max(1, choices.length)] ?? 0) % 5
      return choice === 0 ? '*' : choice === 1 && c !== '*' ? '?' : c
    })
    .join('')
}

const fills = fc.array(filling, { minLength: 1, maxLength: 4 })
const choices = fc.array(fc.nat(), { minLength: 1, maxLength: 12 })

describe('containment in IAM’s own matching', () => {
  it('P4: a pattern that covers another matches everything it matches', () => {
    let covered = 0
    fc.assert(
      fc.property(pattern, pattern, choices, fills, (request, other, wide, text) => {
        for (const ceiling of [other, widened(request, wide)]) {
          if (!patternCovers(ceiling, request)) continue
          covered++
          expect(wildcardMatch(ceiling, concrete(request, text))).toBe(true)
        }
      }),
      { numRuns: 4_000 },
    )
    expect(covered).toBeGreaterThan(2_000)
  })

  it('P4: two patterns that match one string are said to overlap, and only such', () => {
    fc.assert(
      fc.property(pattern, pattern, choices, fills, (a, other, wide, text) => {
        for (const b of [other, widened(a, wide)]) {
          const string = concrete(a, text)
          if (wildcardMatch(b, string)) expect(patternsOverlap(a, b)).toBe(true)
          expect(patternsOverlap(a, b)).toBe(patternsOverlap(b, a))
        }
      }),
      { numRuns: 4_000 },
    )
    expect(patternsOverlap('a*', 'b*')).toBe(false)
    expect(patternsOverlap('*a', '*b')).toBe(false)
    expect(patternsOverlap('a?c', 'a*c')).toBe(true)
  })

  it('P4: a covered ARN is matched segment by segment and across colons', () => {
    const part = fc.array(fc.constantFrom('a', '1', '*', '?'), { maxLength: 4 })
    const arn = fc
      .tuple(part, part, pattern)
      .map(([region, account, resource]) =>
        ['arn', 'aws', 'sqs', region.join(''), account.join(''), resource].join(':'),
      )
    let covered = 0
    fc.assert(
      fc.property(arn, arn, choices, fills, (request, other, wide, text) => {
        const head = 'arn:aws:sqs:'
        const wider = head + widened(request.slice(head.length), wide).replace(/^\*/, 'a')
        for (const ceiling of [other, wider, `${head}*:*:*`]) {
          if (!awsVocabulary.coversLocation(ceiling, request)) continue
          covered++
          const resource = concrete(request, text)
          expect(wildcardMatch(ceiling, resource)).toBe(true)
          if (arnLike(request, resource)) expect(arnLike(ceiling, resource)).toBe(true)
        }
      }),
      { numRuns: 4_000 },
    )
    expect(covered).toBeGreaterThan(1_000)
  })

  it('P4: a covered action is matched in any spelling of its case', () => {
    const name = fc.array(fc.constantFrom('G', 'e', 't', 'O', '*', '?'), { minLength: 1 })
    fc.assert(
      fc.property(name, choices, fills, (letters, wide, text) => {
        const request = `s3:${letters.join('')}`
        const ceiling = `S3:${widened(letters.join(''), wide)}`
        if (!awsVocabulary.coversAction(ceiling, request)) return
        const action = concrete(request, text).replace(/[:/-]/g, 'x').replace('x', ':')
        if (actionMatch(request, action)) expect(actionMatch(ceiling, action)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  it('P4: constraints that are covered hold wherever the narrower ones hold', () => {
    fc.assert(
      fc.property(pattern, choices, fills, fc.boolean(), (value, wide, text, present) => {
        const request = { 's3:prefix': [value] }
        const ceiling = { 'S3:Prefix': [widened(value, wide)] }
        if (!awsVocabulary.coversConstraints(ceiling, request)) return
        const context = new Map(present ? [['s3:prefix', [concrete(value, text)]]] : [])
        const holds = (values: readonly string[]) =>
          conditionsHold([{ operator: 'StringLike', key: 's3:prefix', values }], context)
        if (holds(request['s3:prefix'])) expect(holds(ceiling['S3:Prefix'])).toBe(true)
      }),
    )
  })
})

describe('the vocabulary', () => {
  const item = { type: 'aws', actions: ['s3:GetObject'], locations: ['arn:aws:s3:::b/*'] }

  it.each([
    [{ actions: ['GetObject'] }, 'GetObject'],
    [{ actions: ['s3*:GetObject'] }, 's3*'],
    [{ actions: ['s3:Get Object'] }, 'Get Object'],
    [{ locations: ['b/*'] }, 'whole ARN'],
    [{ locations: ['arn:aws:*:::b'] }, 'whole ARN'],
    [{ locations: [`arn:aws:s3:::b/$${'{aws:userid}'}`] }, 'variables'],
    [{ locations: ['arn:aws:s3:::b/\u0007'] }, 'characters'],
    [{ locations: ['arn:aws:s3:::b/\u4e2d'] }, 'characters'],
    [{ constraints: { 'dynamodb:LeadingKeys': ['a'] } }, 'LeadingKeys'],
    [{ constraints: { 's3:prefix': [] } }, 'at least one'],
    [{ constraints: { 's3:prefix': ['a'], 'S3:Prefix': ['b'] } }, 'twice'],
  ])('refuses %j and names the value', (change, named) => {
    expect(awsVocabulary.check({ ...item, ...change })?.refused).toContain(named)
  })

  it('accepts actions and ARNs as IAM has them', () => {
    for (const location of [
      '*',
      'arn:aws:s3:::b',
      'arn:aws-cn:sns:cn-north-1:111122223333:t:sub',
    ]) {
      expect(awsVocabulary.check({ ...item, locations: [location] })).toBeUndefined()
    }
    expect(awsVocabulary.check({ ...item, actions: ['*', 'dynamodb:*Item'] })).toBeUndefined()
  })

  it('P4: everything is inside everything only', () => {
    expect(awsVocabulary.coversLocation('*', 'arn:aws:s3:::b')).toBe(true)
    expect(awsVocabulary.coversLocation('arn:aws:s3:::*', '*')).toBe(false)
    expect(awsVocabulary.coversAction('s3:*', '*')).toBe(false)
    expect(awsVocabulary.coversAction('*', 'iam:PassRole')).toBe(true)
  })

  it('P4: a request without the ceiling’s constraint is wider', () => {
    expect(awsVocabulary.coversConstraints({ 's3:prefix': ['a/*'] }, undefined)).toBe(false)
    expect(awsVocabulary.coversConstraints(undefined, { 's3:prefix': ['a/*'] })).toBe(true)
    expect(
      awsVocabulary.coversConstraints({ 's3:prefix': ['a/*'] }, { 's3:prefix': ['a/x', 'b/'] }),
    ).toBe(false)
  })

  it.each([
    ['s3:GetObject', 'arn:aws:s3:::tickets/4711/*', []],
    ['s3:GetObject', 'arn:aws:s3:::tickets/*', ['bulk-read']],
    ['s3:GetObject', 'arn:aws:s3:::tick*', ['bulk-read']],
    ['s3:DeleteObject', 'arn:aws:s3:::tickets/1', ['destructive-write']],
    ['ec2:TerminateInstances', 'arn:aws:ec2:eu-west-1:1:instance/i-1', ['destructive-write']],
    [
      'secretsmanager:GetSecretValue',
      'arn:aws:secretsmanager:eu-west-1:1:secret:s',
      ['credential-access'],
    ],
    ['ssm:GetParametersByPath', 'arn:aws:ssm:eu-west-1:1:parameter/a/b', ['credential-access']],
    ['kms:Decrypt', 'arn:aws:kms:eu-west-1:1:key/k', ['credential-access']],
    ['dynamodb:Scan', 'arn:aws:dynamodb:eu-west-1:1:table/t', ['bulk-read']],
    ['dynamodb:Query', 'arn:aws:dynamodb:eu-west-1:1:table/t', []],
    ['iam:PutRolePolicy', 'arn:aws:iam::1:role/r', ['destructive-write', 'privilege-escalation']],
    ['sts:AssumeRole', 'arn:aws:iam::1:role/r', ['credential-access', 'privilege-escalation']],
    ['newservice:DoSomething', 'arn:aws:newservice:eu-west-1:1:x', ['destructive-write']],
  ])('%s on %s is %j', (action, location, impacts) => {
    expect([...awsVocabulary.impactOf(action, [location])].sort()).toEqual(impacts)
  })

  it('weighs every location of an action, wherever it stands', () => {
    expect(
      awsVocabulary.impactOf('s3:GetObject', ['arn:aws:s3:::b/x', 'arn:aws:s3:::b/*']),
    ).toContain('bulk-read')
  })

  it('a wildcard has every impact it could include', () => {
    const all = ['bulk-read', 'credential-access', 'destructive-write', 'privilege-escalation']
    expect([...awsVocabulary.impactOf('*', ['*'])].sort()).toEqual(all)
    expect(awsVocabulary.impactOf('s3:*', ['arn:aws:s3:::b/x/y'])).toContain('destructive-write')
    expect(awsVocabulary.impactOf('secretsmanager:Get*', ['*'])).toContain('credential-access')
  })

  it('P13: weighing an action takes no longer for fifty locations than for one', () => {
    const actions = Array.from({ length: 50 }, (_, i) => `s3:*${'a'.repeat(480)}${i}*`)
    const locations = Array.from({ length: 50 }, (_, i) => `arn:aws:s3:::tickets/${i}`)
    const seconds = (some: readonly string[]) => {
      const started = performance.now()
      impactsOf([{ type: 'aws', actions, locations: some }], awsVocabulary)
      return performance.now() - started
    }
    seconds(locations)
    expect(seconds(locations)).toBeLessThan(10 * seconds(locations.slice(0, 1)))
  })
})
