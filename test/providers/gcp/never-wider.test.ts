import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { gcp } from '../../../providers/gcp/index.ts'
import type { StorageAccess } from '../../sandbox/gcp/boundary.ts'
import { rolePermits } from '../../sandbox/gcp/roles.ts'
import { parseCel, type Scope } from './cel.ts'
import { POOL } from './fixture.ts'
import { accessesOf, allows, anyIntent } from './reading.ts'

/** The boundary as it goes over the wire, read anew: nothing of Mayfly's own takes part. */
const wire = z.object({
  boundary: z.object({
    accessBoundary: z.object({
      accessBoundaryRules: z.array(
        z.object({
          availableResource: z.string(),
          availablePermissions: z.array(z.string()),
          availabilityCondition: z.object({ expression: z.string() }).optional(),
        }),
      ),
    }),
  }),
})

const RUNS = 10_000

describe('compiled Google intents, judged by an evaluator of their conditions', () => {
  it(`P4: of ${RUNS} random intents none can do more, or less, than it says`, () => {
    const settings = gcp.settings.parse({ type: 'gcp' })
    const target = gcp.target.parse({ service_accounts: POOL })
    let compiled = 0
    fc.assert(
      fc.property(anyIntent, (intent) => {
        const described = gcp.describe({ settings, target, intent })
        if ('refused' in described) return
        compiled += 1
        const permits = judgeOf(JSON.parse(JSON.stringify(described.scope)))
        for (const access of accessesOf(...intent.flatMap((item) => item.locations))) {
          const [granted, asked] = [permits(access), allows(intent, access)]
          if (granted !== asked) expect({ access, granted }).toEqual({ access, granted: asked })
        }
      }),
      { numRuns: RUNS },
    )
    expect(compiled).toBeGreaterThan(RUNS / 5)
  }, 120_000)

  it.each([
    ["resource.name.startsWith('a') || nothing.here", 'abc', true],
    ["nothing.here || resource.name == 'abc'", 'abc', true],
    ["nothing.here && resource.name == 'x'", 'abc', false],
    ["!(resource.name != 'a\\'b')", "a'b", true],
    ["resource.name.startsWith('a') && resource.name.endsWith('c')", 'abc', true],
    ["api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('p/')", '', false],
  ])('the evaluator itself: %s', (expression, name, expected) => {
    expect(parseCel(expression)(scopeOf(name, ''))).toBe(expected)
  })

  it.each(["resource.name.startsWith('a'", "resource.name == 'a' 'b'", "'\\q' == 'q'", 'a ||'])(
    'the evaluator refuses what is no expression: %s',
    (expression) => {
      expect(() => parseCel(expression)).toThrow()
    },
  )
})

/**
 * https://cloud.google.com/iam/docs/downscoping-short-lived-credentials: a rule applies to its
 * bucket, holds the permissions of its roles, and its condition, if any, must be true.
 */
function judgeOf(scope: unknown): (access: StorageAccess) => boolean {
  const { accessBoundaryRules } = wire.parse(scope).boundary.accessBoundary
  const rules = accessBoundaryRules.map((rule) => ({
    resource: rule.availableResource,
    roles: rule.availablePermissions.map((text) => /^inRole:(.+)$/.exec(text)?.[1] ?? ''),
    condition: rule.availabilityCondition && parseCel(rule.availabilityCondition.expression),
  }))
  return ({ permission, bucket, object, listPrefix }) => {
    const bucketName = `projects/_/buckets/${bucket}`
    const name = object === undefined ? bucketName : `${bucketName}/objects/${object}`
    return rules.some(
      ({ resource, roles, condition }) =>
        resource === `//storage.googleapis.com/${bucketName}` &&
        roles.some((role) => rolePermits(role, permission)) &&
        (condition === undefined || isTrue(condition, scopeOf(name, listPrefix ?? ''))),
    )
  }
}

function scopeOf(name: string, listPrefix: string): Scope {
  return {
    variables: { 'resource.name': name },
    functions: {
      'api.getAttribute': (attribute, otherwise) =>
        attribute === 'storage.googleapis.com/objectListPrefix' ? listPrefix : (otherwise ?? ''),
    },
  }
}

/** An error is not true. */
function isTrue(condition: ReturnType<typeof parseCel>, scope: Scope): boolean {
  try {
    return condition(scope) === true
  } catch {
    return false
  }
}
