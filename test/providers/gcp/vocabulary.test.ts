import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { impactAt } from '../../../providers/gcp/impact.ts'
import { vocabulary } from '../../../providers/gcp/vocabulary.ts'
import type { IntentItem } from '../../../src/model/intent.ts'
import { accessesOf, allows, anyLocation, anyPair } from './reading.ts'

function item(change: Partial<IntentItem> = {}): IntentItem {
  return {
    type: 'gcp',
    actions: ['storage.objects.get'],
    locations: ['gs://tickets/4711/*'],
    ...change,
  }
}

describe('the gcp vocabulary', () => {
  it('understands permissions, roles, scopes, buckets and full resource names', () => {
    const actions = [
      'storage.objects.get',
      'inRole:roles/storage.objectViewer',
      'inRole:projects/acme-agents/roles/ticketReader',
      'https://www.googleapis.com/auth/devstorage.read_only',
    ]
    const locations = [
      'gs://tickets/*',
      'gs://tickets/4711/*',
      'gs://tickets/4711/mail.txt',
      '//pubsub.googleapis.com/projects/acme-agents/topics/tickets',
      '//bigquery.googleapis.com/projects/acme-agents/datasets/d*',
    ]
    expect(vocabulary.check(item({ actions, locations }))).toBeUndefined()
  })

  it.each([
    ['an action that is a wildcard', { actions: ['storage.*'] }],
    ['an action that is nothing', { actions: ['storage.objects.get; drop'] }],
    ['a role outside its grammar', { actions: ["inRole:roles/x' || true"] }],
    ['a scope of another host', { actions: ['https://evil.example/auth/drive'] }],
    ['no action', { actions: [] }],
    ['no location', { locations: [] }],
    ['a wildcard for the bucket', { locations: ['gs://tick*/4711'] }],
    ['a wildcard in the middle', { locations: ['gs://tickets/*/mail.txt'] }],
    ['a bucket alone', { locations: ['gs://tickets'] }],
    ['a bucket without object', { locations: ['gs://tickets/'] }],
    ['another scheme', { locations: ['s3://tickets/*'] }],
    ['a resource of no service', { locations: ['///projects/x'] }],
    ['all resources of a service', { locations: ['//pubsub.googleapis.com/*'] }],
    [
      'Cloud Storage by its other name',
      { locations: ['//storage.googleapis.com/projects/_/buckets/tickets'] },
    ],
    ['a control character', { locations: ['gs://tickets/a\nb*'] }],
    ['a character that turns the reading direction', { locations: ['gs://tickets/\u202e*'] }],
    ['constraints', { constraints: { prefix: ['x'] } }],
    ['another type', { type: 'aws' }],
  ] satisfies [string, Partial<IntentItem>][])('P3: refuses %s', (_, change) => {
    expect(vocabulary.check(item(change))?.refused).toBeTruthy()
  })

  it('lets a role cover the permissions that surely belong to it, and never the reverse', () => {
    const viewer = 'inRole:roles/storage.objectViewer'
    expect(vocabulary.coversAction(viewer, 'storage.objects.get')).toBe(true)
    expect(vocabulary.coversAction(viewer, 'storage.objects.delete')).toBe(false)
    expect(vocabulary.coversAction('storage.objects.get', viewer)).toBe(false)
    expect(vocabulary.coversAction('inRole:roles/storage.admin', viewer)).toBe(false)
  })

  it('knows no constraints: any makes the pair incomparable', () => {
    expect(vocabulary.coversConstraints(undefined, {})).toBe(true)
    expect(vocabulary.coversConstraints(undefined, { p: ['x'] })).toBe(false)
    expect(vocabulary.coversConstraints({ p: ['x'] }, undefined)).toBe(false)
  })

  it('P4: whatever it calls covered is contained, by an independent reading', () => {
    let covered = 0
    fc.assert(
      fc.property(anyPair, ({ ceiling, request }) => {
        if (!vocabulary.coversAction(ceiling.action, request.action)) return
        if (!vocabulary.coversLocation(ceiling.place, request.place)) return
        covered += 1
        const above = [item({ actions: [ceiling.action], locations: [ceiling.place] })]
        const below = [item({ actions: [request.action], locations: [request.place] })]
        for (const access of accessesOf(request.place, ceiling.place)) {
          if (allows(below, access)) expect(allows(above, access)).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
    expect(covered).toBeGreaterThan(300)
  })

  it('P4: two locations that name the same object overlap', () => {
    fc.assert(
      fc.property(anyLocation, anyLocation, (a, b) => {
        const [left, right] = [a, b].map((place) =>
          item({ actions: ['storage.objects.get'], locations: [place] }),
        )
        const both = accessesOf(a, b).some(
          (access) => left && right && allows([left], access) && allows([right], access),
        )
        if (both) expect(vocabulary.overlaps(a, b)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  it('calls what it cannot compare overlapping and not covered', () => {
    expect(vocabulary.overlaps('gs://tickets', 'gs://tickets/*')).toBe(true)
    expect(vocabulary.coversLocation('nonsense', 'nonsense')).toBe(false)
    const [byId, byNumber] = ['acme-agents', '123456'].map(
      (project) => `//pubsub.googleapis.com/projects/${project}/topics/t`,
    )
    expect(vocabulary.overlaps(byId ?? '', byNumber ?? '')).toBe(true)
    const project = '//cloudresourcemanager.googleapis.com/projects/acme-agents'
    expect(vocabulary.overlaps(project, 'gs://tickets/*')).toBe(true)
    expect(vocabulary.overlaps(byId ?? '', 'gs://tickets/*')).toBe(false)
  })

  it.each([
    ['storage.objects.get', 'gs://t-1/a/*', []],
    ['storage.objects.get', 'gs://t-1/*', ['bulk-read']],
    ['storage.objects.create', 'gs://t-1/a/*', []],
    ['storage.objects.delete', 'gs://t-1/a/*', ['destructive-write']],
    ['storage.objects.setIamPolicy', 'gs://t-1/a', ['destructive-write', 'privilege-escalation']],
    ['inRole:roles/storage.objectViewer', 'gs://t-1/*', ['bulk-read']],
    ['inRole:roles/storage.objectUser', 'gs://t-1/a/*', ['destructive-write']],
    [
      'secretmanager.versions.access',
      '//secretmanager.googleapis.com/projects/p/secrets/s',
      ['credential-access'],
    ],
    [
      'iam.serviceAccounts.getAccessToken',
      '//iam.googleapis.com/projects/-/serviceAccounts/x',
      ['credential-access', 'privilege-escalation'],
    ],
    ['https://www.googleapis.com/auth/devstorage.read_only', '//x.googleapis.com/y', ['bulk-read']],
  ] as const)('says what %s at %s puts at stake', (action, place, impacts) => {
    expect([...impactAt(action, place)].sort()).toEqual([...impacts])
  })

  it('weighs every location of an action, wherever it stands', () => {
    expect(vocabulary.impactOf('storage.objects.get', ['gs://t-1/4711', 'gs://t-1/*'])).toContain(
      'bulk-read',
    )
  })

  it('takes a role it does not know for the worst', () => {
    for (const role of ['inRole:roles/storage.admin', 'inRole:projects/acme-agents/roles/x']) {
      expect(impactAt(role, 'gs://tickets/a/*')).toContain('privilege-escalation')
    }
  })
})
