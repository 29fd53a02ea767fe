import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileBoundary } from '../../../providers/gcp/boundary.ts'
import { gcp } from '../../../providers/gcp/index.ts'
import type { IntentItem, Refusal } from '../../../src/model/intent.ts'
import type { Description } from '../../../src/provider.ts'
import { boundaryPermits, parseBoundary } from '../../sandbox/gcp/boundary.ts'
import { POOL, SHARED } from './fixture.ts'
import { accessesOf, allows, anyIntent } from './reading.ts'

const settings = gcp.settings.parse({ type: 'gcp' })
const pool = { service_accounts: POOL }
const shared = { service_account: SHARED, shared: true }
const PUBLISH: IntentItem = {
  type: 'gcp',
  actions: ['pubsub.topics.publish', 'pubsub.topics.get'],
  locations: ['//pubsub.googleapis.com/projects/acme-agents/topics/t'],
}

function describeOn(
  target: unknown,
  intent: readonly IntentItem[],
  ceiling?: readonly IntentItem[],
): Description | Refusal {
  const parsed = gcp.target.parse(target)
  return gcp.describe({ settings, target: parsed, intent, ...(ceiling && { ceiling }) })
}

function view(...locations: string[]): IntentItem[] {
  return [{ type: 'gcp', actions: ['inRole:roles/storage.objectViewer'], locations }]
}

describe('describing a Google lease', () => {
  it('P4: a compiled boundary permits exactly the intent, by the sandbox’s own evaluator', () => {
    let compiledOnes = 0
    fc.assert(
      fc.property(anyIntent, (intent) => {
        const compiled = compileBoundary(intent)
        if (typeof compiled === 'string') return
        compiledOnes += 1
        const rules = parseBoundary(compiled)
        if (typeof rules === 'string') throw new Error(rules)
        for (const access of accessesOf(...intent.flatMap((item) => item.locations))) {
          expect({ access, permitted: boundaryPermits(rules, access) }).toEqual({
            access,
            permitted: allows(intent, access),
          })
        }
      }),
      { numRuns: 1_500 },
    )
    expect(compiledOnes).toBeGreaterThan(300)
  })

  it('compiles a prefix into the documented two halves', () => {
    expect(describeOn(pool, view('gs://tickets/4711/*'))).toMatchObject({
      scope: {
        mode: 'boundary',
        scopes: ['https://www.googleapis.com/auth/cloud-platform'],
        boundary: {
          accessBoundary: {
            accessBoundaryRules: [
              {
                availableResource: '//storage.googleapis.com/projects/_/buckets/tickets',
                availablePermissions: ['inRole:roles/storage.objectViewer'],
                availabilityCondition: {
                  expression:
                    "resource.name.startsWith('projects/_/buckets/tickets/objects/4711/') || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('4711/')",
                },
              },
            ],
          },
        },
      },
    })
  })

  it('tells a pool from a shared account honestly', () => {
    expect(describeOn(pool, view('gs://tickets/4711/*'))).toMatchObject({
      group: null,
      revocability: 'propagating',
      propagation: { typicalSeconds: 120, worstSeconds: 420 },
      lifetime: { nativeFloorSeconds: 300, maxSeconds: 3_600 },
      slots: POOL,
      residuals: [],
    })
    const described = describeOn(shared, view('gs://tickets/4711/*'))
    expect(described).toMatchObject({ revocability: 'expiry', target: SHARED })
    expect(described).not.toHaveProperty('slots')
  })

  it('takes ten rules and refuses the eleventh', () => {
    const places = Array.from({ length: 11 }, (_, n) => `gs://tickets/${n}/*`)
    expect(describeOn(pool, view(...places.slice(0, 10)))).toHaveProperty('scope')
    expect(describeOn(pool, view(...places))).toEqual({
      refused: expect.stringContaining('11 access boundary rules'),
    })
  })

  it.each([
    ['a permission no single role stands for', 'storage.objects.list', 'gs://tickets/a*'],
    ['a quote in a name', 'storage.objects.get', "gs://tickets/o'brien*"],
    ['a name beyond ASCII', 'storage.objects.get', 'gs://tickets/ä*'],
    [
      'a name too long for a condition',
      'storage.objects.get',
      `gs://tickets/${'a'.repeat(1_000)}*`,
    ],
  ])('P4: refuses %s rather than approximate it', (_, action, place) => {
    const intent = [{ type: 'gcp', actions: [action], locations: [place] }]
    expect(describeOn(pool, intent)).toHaveProperty('refused')
  })

  it('P4: outside Cloud Storage only exactly the ceiling is described', () => {
    for (const target of [pool, shared]) {
      const regrouped = PUBLISH.actions.map((action) => ({ ...PUBLISH, actions: [action] }))
      expect(describeOn(target, regrouped, [PUBLISH])).toMatchObject({
        scope: { mode: 'atomic' },
      })
      const narrower = [{ ...PUBLISH, actions: ['pubsub.topics.get'] }]
      expect(describeOn(target, narrower, [PUBLISH])).toHaveProperty('refused')
      expect(describeOn(target, [PUBLISH], narrower)).toHaveProperty('refused')
      expect(describeOn(target, [PUBLISH])).toHaveProperty('refused')
    }
  })

  it('P4: Cloud Storage beside another service is atomic as a whole', () => {
    const mixed = [PUBLISH, ...view('gs://tickets/4711/*')]
    expect(describeOn(pool, mixed)).toHaveProperty('refused')
    expect(describeOn(pool, mixed, mixed)).toMatchObject({ scope: { mode: 'atomic' } })
  })

  it('P4: an intent of OAuth scopes is minted with these scopes alone', () => {
    const scope = 'https://www.googleapis.com/auth/pubsub'
    const intent = [{ ...PUBLISH, actions: [scope] }]
    expect(describeOn(pool, intent, intent)).toMatchObject({
      scope: { mode: 'atomic', scopes: [scope] },
    })
    const mixed = [{ ...PUBLISH, actions: [scope, 'pubsub.topics.get'] }]
    expect(describeOn(pool, mixed, mixed)).toHaveProperty('refused')
    const fixed = { ...pool, scopes: ['https://www.googleapis.com/auth/cloud-platform'] }
    expect(describeOn(fixed, intent, intent)).toHaveProperty('refused')
  })

  it('names what outlives a token', () => {
    const write = { ...view('gs://tickets/out/*')[0], actions: ['inRole:roles/storage.objectUser'] }
    const intent = [{ type: 'gcp', locations: [], ...write }]
    expect(describeOn(pool, intent)).toMatchObject({ residuals: ['gcs-resumable-upload'] })
    const sign = { ...PUBLISH, actions: ['iam.serviceAccounts.signBlob'] }
    expect(describeOn(pool, [sign], [sign])).toMatchObject({ residuals: ['derived-credentials'] })
  })

  it('P3: refuses an empty intent and one it does not understand', () => {
    expect(describeOn(pool, [])).toHaveProperty('refused')
    expect(
      describeOn(pool, [{ type: 'aws', actions: ['s3:GetObject'], locations: ['*'] }]),
    ).toEqual({
      refused: expect.stringContaining('aws'),
    })
  })
})

describe('settings and targets', () => {
  it.each([
    ['http beyond loopback', { endpoints: { iam: 'http://iam.example.com' } }],
    ['an endpoint with a path', { endpoints: { sts: 'https://proxy.example.com/google' } }],
    ['an endpoint with a password', { endpoints: { sts: 'https://u:p@proxy.example.com' } }],
    ['a token in the file itself', { credentials: { access_token: 'ya29.plain' } }],
    ['two kinds of credentials', { credentials: { access_token: 'env:A', key_file: 'env:B' } }],
    ['an unknown field', { retries: 3 }],
  ])('P16: refuses %s', (_, change) => {
    expect(gcp.settings.safeParse({ type: 'gcp', ...change }).success).toBe(false)
  })

  it('accepts private endpoints and separate identities', () => {
    const full = {
      type: 'gcp',
      endpoints: { iamcredentials: 'https://iamcredentials.internal:8443', iam: 'http://[::1]:80' },
      credentials: { key_file: 'file:/run/secrets/mint.json' },
      revoke: { credentials: { access_token: 'env:REVOKE' } },
    }
    expect(gcp.settings.safeParse(full).success).toBe(true)
  })

  it.each([
    ['an empty pool', { service_accounts: [] }],
    ['an account twice', { service_accounts: [SHARED, SHARED] }],
    ['a person', { service_accounts: ['ada@example.com'] }],
    ['a shared account that does not say so', { service_account: SHARED }],
    ['pool and shared at once', { ...pool, ...shared }],
    ['a path in the email', { service_accounts: [`x/../y@p.iam.gserviceaccount.com`] }],
    ['a scope of another host', { ...pool, scopes: ['https://evil.example/auth/x'] }],
  ])('P16: refuses %s as target', (_, target) => {
    expect(gcp.target.safeParse(target).success).toBe(false)
  })
})
