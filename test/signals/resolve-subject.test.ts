import { describe, expect, test } from 'vitest'
import { canonical, type Directory, resolveSubject } from '../../src/signals/resolve-subject.ts'
import { readIdentifier } from '../../src/signals/subject-identifier.ts'

const TASK = 'task_aaaaaaaaaaaaaaaaaaaa'
const LEASE = 'lease_aaaaaaaaaaaaaaaaaaaa'
const IDP = 'https://idp.example'
const OWN = 'https://mayfly.example'

const directory: Directory = {
  issuers: [
    { name: 'corp', url: IDP },
    { name: 'mesh', url: 'spiffe://corp.example' },
    { name: 'mesh-x509', url: 'spiffe://corp.example' },
  ],
  agents: [
    { id: 'summariser', tenant: 'support', email: undefined },
    { id: 'mailer', tenant: 'support', email: 'Robot@Project.iam.gserviceaccount.com' },
  ],
  ownUrl: OWN,
  named: new Map([
    [canonical({ format: 'phone_number', phone_number: '+12065550123' }), { agent: 'summariser' }],
    [canonical({ format: 'opaque', id: '123456789' }), { tenant: 'support' }],
  ]),
  critical: [],
}

function resolved(said: unknown, with_: Partial<Directory> = {}) {
  const identifier = readIdentifier(said)
  if (identifier === undefined) return 'malformed'
  const answer = resolveSubject(identifier, { ...directory, ...with_ })
  return 'why' in answer ? 'nobody' : answer.selectors
}

const session = { format: 'opaque', id: 'dMTlD|1600802906337.16|16008.16' }
const user = { format: 'iss_sub', iss: IDP, sub: 'robot' }
const stranger = { format: 'email', email: 'jane@example.com' }
const support = { format: 'opaque', id: 'support' }

describe('a subject identifier (RFC 9493) names here', () => {
  const cases: [what: string, said: unknown, expected: unknown][] = [
    ['a workload by issuer and sub', user, [{ workload: 'corp/robot' }]],
    ['nobody by another issuer', { ...user, iss: `${IDP}/` }, 'nobody'],
    [
      'a workload of either issuer of its trust domain',
      { format: 'uri', uri: 'spiffe://corp.example/agent' },
      [
        { workload: 'mesh/spiffe://corp.example/agent' },
        { workload: 'mesh-x509/spiffe://corp.example/agent' },
      ],
    ],
    ['a task', { format: 'opaque', id: TASK }, [{ task: TASK }]],
    ['a lease', { format: 'opaque', id: LEASE }, [{ lease: LEASE }]],
    [
      'a lease by its upstream name',
      { format: 'opaque', id: 'mf-aaaaaaaaaaaaaaaaaaaa' },
      [{ lease: LEASE }],
    ],
    ['a task by its address', { format: 'uri', uri: `${OWN}/v1/tasks/${TASK}` }, [{ task: TASK }]],
    [
      'nobody by an address below it',
      { format: 'uri', uri: `${OWN}/v1/tasks/${TASK}/end` },
      'nobody',
    ],
    ['an agent', { format: 'opaque', id: 'summariser' }, [{ agent: 'summariser' }]],
    ['no tenant by an opaque id alone', support, 'nobody'],
    [
      'an agent by its address in any case',
      { format: 'email', email: 'robot@project.iam.gserviceaccount.com' },
      [{ agent: 'mailer' }],
    ],
    [
      'an agent by its account',
      { format: 'account', uri: 'acct:robot@project.iam.gserviceaccount.com' },
      [{ agent: 'mailer' }],
    ],
    [
      'a lease by a token of ours',
      { format: 'jwt_id', iss: OWN, jti: 'mf-aaaaaaaaaaaaaaaaaaaa' },
      [{ lease: LEASE }],
    ],
    [
      'nobody by a token of others',
      { format: 'jwt_id', iss: IDP, jti: 'mf-aaaaaaaaaaaaaaaaaaaa' },
      'nobody',
    ],
    [
      'what its source lists',
      { phone_number: '+12065550123', format: 'phone_number' },
      [{ agent: 'summariser' }],
    ],
    [
      'whoever any of its aliases names',
      { format: 'aliases', identifiers: [stranger, user] },
      [{ workload: 'corp/robot' }],
    ],
    [
      'only what all known members agree on',
      { format: 'complex', user, tenant: support },
      [{ workload: 'corp/robot', tenant: 'support' }],
    ],
    [
      'the user of a session nobody knows',
      { format: 'complex', session, user },
      [{ workload: 'corp/robot' }],
    ],
    [
      'the task of a known session',
      { format: 'complex', session: { format: 'opaque', id: TASK }, user: stranger },
      [{ task: TASK }],
    ],
    ['a tenant, said alone', { format: 'complex', tenant: support }, [{ tenant: 'support' }]],
    [
      'a tenant its source lists',
      { format: 'complex', tenant: { format: 'opaque', id: '123456789' } },
      [{ tenant: 'support' }],
    ],
    [
      'not a tenant for an unknown user',
      { format: 'complex', user: stranger, tenant: support },
      'nobody',
    ],
    ...['application', 'group', 'org_unit', 'robot_arm'].map(
      (member): [string, unknown, unknown] => [
        `not a tenant for an unknown ${member}`,
        { format: 'complex', [member]: stranger, tenant: support },
        'nobody',
      ],
    ),
    [
      'an application in its tenant, whatever its group',
      {
        format: 'complex',
        application: { format: 'opaque', id: 'summariser' },
        group: stranger,
        tenant: support,
      },
      [{ agent: 'summariser', tenant: 'support' }],
    ],
    [
      'not an application for an unknown session',
      { format: 'complex', session, application: { format: 'opaque', id: 'summariser' } },
      'nobody',
    ],
    [
      'nobody where its members contradict each other',
      {
        format: 'complex',
        user: { format: 'opaque', id: 'mailer' },
        application: { format: 'opaque', id: 'summariser' },
      },
      'nobody',
    ],
    ['nothing in a format nobody knows', { format: 'catalog_item', catalog_id: '1' }, 'nobody'],
  ]
  test.each(cases)('%s', (_, said, expected) => {
    expect(resolved(said)).toEqual(expected)
  })

  test('nobody where a critical member is not known', () => {
    const said = { format: 'complex', user, device: session }
    expect(resolved(said)).toEqual([{ workload: 'corp/robot' }])
    expect(resolved(said, { critical: ['device'] })).toBe('nobody')
  })
})

test.each([
  undefined,
  null,
  'robot',
  [],
  {},
  { format: 7 },
  { format: 'iss_sub', iss: IDP },
  { format: 'email', email: '' },
  { format: 'email', email: 'a@b', all: true },
  { format: 'opaque', id: 'a\u202eb' },
  { format: 'aliases', identifiers: [] },
  { format: 'aliases', identifiers: [{ format: 'aliases', identifiers: [user] }] },
  { format: 'complex' },
  { format: 'complex', user: 'robot' },
  { format: 'complex', user: { format: 'complex', user } },
])('%j is no subject identifier', (said) => {
  expect(resolved(said)).toBe('malformed')
})
