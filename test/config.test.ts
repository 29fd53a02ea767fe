import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { z } from 'zod'
import { diffConfig } from '../src/config/diff.ts'
import { type Config, parseConfig } from '../src/config.ts'
import type { Problem } from '../src/errors.ts'
import { loadConfig } from '../src/load-config.ts'
import { type Description, defineProvider } from '../src/provider.ts'
import { Secret } from '../src/secret.ts'

const NOW = Date.parse('2026-06-01T00:00:00Z')

/** A provider type with a grammar of its own: `fs:` actions on `/` paths, one credential of three. */
const files = defineProvider({
  type: 'files',
  settings: z.strictObject({
    type: z.literal('files'),
    root: z.string(),
    token: z.string().optional(),
    auth: z.strictObject({ secret_id: z.string() }).optional(),
  }),
  target: z.strictObject({
    folder: z.string(),
    account: z.string().optional(),
    kind: z.enum(['fast', 'slow', 'leaky']).optional(),
  }),
  vocabulary: {
    type: 'files',
    check: ({ actions }) => {
      const bad = actions.find((action) => !action.startsWith('fs:'))
      return bad === undefined ? undefined : { refused: `"${bad}" is not an fs action` }
    },
    coversAction: (a, b) => a === b,
    coversLocation: (a, b) => a === b,
    coversConstraints: () => true,
    overlaps: (a, b) => a.startsWith(b) || b.startsWith(a),
    impactOf: () => [],
  },
  upstreamOf: ({ root }) => root,
  oneTenantOf: ({ folder }) => folder,
  accountsOf: ({ account }) => ({ own: account === undefined ? [] : [account], shared: [] }),
  describe: ({ target, intent }): Description | { refused: string } => {
    const locations = intent.flatMap((item) => item.locations)
    const odd = locations.find((location) => !location.startsWith('/'))
    if (odd !== undefined) return { refused: `"${odd}" cannot be expressed` }
    if (locations.length > 3) return { refused: 'more than 3 locations do not fit' }
    return {
      scope: {},
      target: target.folder,
      group: null,
      lifetime: { nativeFloorSeconds: 1, maxSeconds: 3600 },
      revocability: target.kind === 'slow' ? 'expiry' : 'immediate',
      proof: 'lookup',
      custody: 'none',
      residuals: target.kind === 'leaky' ? ['open handles'] : [],
    }
  },
  create: () => {
    throw new Error('a configuration is read without creating anything')
  },
})

interface Doc {
  [section: string]: unknown
}

const agent = {
  id: 'summariser',
  tenant: 'support',
  owner: 'support@example.com',
  match: { issuer: 'k8s', claims: { sub: 'system:serviceaccount:agents:summariser' } },
}
const entitlement = {
  id: 'tickets-read',
  tenants: ['support'],
  provider: 'disk',
  target: { folder: 'tickets' },
  ceiling: [{ type: 'files', actions: ['fs:read'], locations: ['/tickets'] }],
}
const operator = { name: 'boss', roles: ['admin'], tenants: ['*'], token_sha256: 'a'.repeat(64) }
const source = {
  name: 'splunk',
  type: 'webhook',
  secret: 'env:SPLUNK_SECRET',
  scope: { tenants: ['support'] },
}
const unsigned = {
  name: 'splunk',
  type: 'webhook',
  preset: 'splunk',
  path_secret: 'env:PATH_SECRET',
  networks: ['198.51.100.0/24', '2001:db8::1'],
}
const transmitter = {
  name: 'idp',
  type: 'ssf',
  issuer: 'https://idp.example.com/',
  audience: 'https://mayfly.example.com/v1/ssf/idp',
}
const listed = { identifier: { format: 'email', email: 'a@example.com' }, agent: 'summariser' }
const valid: Doc = {
  version: 1,
  installation: 'acme-prod',
  issuers: [{ name: 'k8s', type: 'oidc', issuer: 'https://k8s.example.com', audience: 'mayfly' }],
  agents: [agent],
  entitlements: [entitlement],
  providers: { disk: { type: 'files', root: '/srv', token: 'env:DISK_TOKEN' } },
  signals: { sources: [source] },
  operators: [operator],
}

const WEBHOOK_SECRET = `whsec_${Buffer.from('canary-splunk-of-24-bytes-and-more').toString('base64')}`
const ENV: Record<string, string> = {
  SPLUNK_SECRET: WEBHOOK_SECRET,
  WEAK_SECRET: 'whsec_c2hvcnQ=',
  PATH_SECRET: 'k3Jq-0123456789abcdefghijklmnopqrst',
  DISK_TOKEN: 'canary-disk',
}

function parse(document: Doc | string) {
  return parseConfig(typeof document === 'string' ? document : stringify(document), {
    definitions: new Map([['files', files]]),
    resolveSecret: (reference) => {
      const value = ENV[reference.slice('env:'.length)]
      return value === undefined ? undefined : new Secret(value)
    },
    readPolicies: () => [{ name: 'a.cedar', text: '' }],
    baseDir: '/etc/mayfly',
    now: NOW,
  })
}

function configOf(document: Doc | string): Config {
  const result = parse(document)
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.config
}

function problemsOf(document: Doc | string): readonly Problem[] {
  const result = parse(document)
  return result.ok ? [] : result.problems
}

describe('a valid configuration', () => {
  it('is read with durations in seconds, absolute paths and the documented defaults', () => {
    const config = configOf({
      ...valid,
      entitlements: [{ ...entitlement, default_ttl: '5m', max_ttl: '1h30m' }],
      audit: { anchor: 'file:anchor.jsonl', every: '90s' },
      limits: { task_max_ttl: '4h', free_disk_reserve: '1GiB' },
    })
    expect(config.server).toEqual({
      host: '127.0.0.1',
      port: 8700,
      publicUrl: 'http://127.0.0.1:8700',
      behindProxy: false,
    })
    expect(config.store.path).toBe('/etc/mayfly/data/mayfly.db')
    expect(config.keysDir).toBe('/etc/mayfly/data/keys')
    expect(config.audit).toEqual({ anchorPath: '/etc/mayfly/anchor.jsonl', everySeconds: 90 })
    expect(config.entitlements[0]).toMatchObject({
      defaultTtlSeconds: 300,
      maxTtlSeconds: 5400,
      zone: 'internal',
      acceptResiduals: [],
      weakestRevocability: 'propagating',
    })
    expect(config.limits).toMatchObject({
      openTasksPerAgent: 50,
      taskMaxTtlSeconds: 14_400,
      reloadMaxEnded: 100,
      freeDiskReserveBytes: 1024 ** 3,
    })
  })

  it('gives max_ttl at least 900 seconds, and default_ttl where that is longer', () => {
    const ttl = (extra: object) =>
      configOf({ ...valid, entitlements: [{ ...entitlement, ...extra }] }).entitlements[0]
    expect(ttl({})).toMatchObject({ defaultTtlSeconds: 300, maxTtlSeconds: 900 })
    expect(ttl({ default_ttl: '1h' })).toMatchObject({ maxTtlSeconds: 3600 })
  })

  it('is frozen through and through', () => {
    const config = configOf(valid)
    const parts = [config, config.agents[0]?.match.claims, config.entitlements[0]?.target]
    for (const part of [...parts, config.providers[0]?.settings, config.limits]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })

  it('needs no agent, entitlement, provider or operator to start with', () => {
    const config = configOf('version: 1\ninstallation: fresh\nagents:\nsignals:\nstore:\n')
    expect([config.agents, config.providers, config.signals.sources]).toEqual([[], [], []])
  })
})

it('reads how long approvals wait, and whom they are told', () => {
  expect(configOf(valid).approvals).toEqual({
    pendingTtlSeconds: 900,
    unusedTtlSeconds: 300,
    pendingPerAgent: 5,
    perHourPerAgent: 20,
    coolDownSeconds: 600,
  })
  const webhook = { url: 'https://chat.example.com/hooks/1', secret: 'env:SPLUNK_SECRET' }
  const config = configOf({ ...valid, approvals: { pending_ttl: '1h', webhook } })
  expect(config.approvals).toMatchObject({ pendingTtlSeconds: 3600, webhook })
  expect(config.secret('env:SPLUNK_SECRET').reveal()).toBe(WEBHOOK_SECRET)
})

describe('secrets', () => {
  it('P2: are references in the configuration, and nothing printed of it holds their values', () => {
    const config = configOf(valid)
    expect(config.secret('env:DISK_TOKEN').reveal()).toBe('canary-disk')
    expect(JSON.stringify(config)).not.toContain('canary')
  })

  it('resolve only where the configuration names them', () => {
    expect(() => configOf(valid).secret('env:PATH')).toThrow('env:PATH')
  })
})

/** One fixture, one changed field; the path that must be named, and a word of what to do. */
const refused: [string, Doc, string, RegExp][] = [
  ['another version', { version: 2 }, 'version', /must be 1/],
  ['no installation', { installation: undefined }, 'installation', /required/],
  ['an installation with capitals', { installation: 'Acme' }, 'installation', /a-z/],
  ['an unknown section', { polices: './x' }, 'polices', /unknown field/],
  ['an unknown field', { agents: [{ ...agent, ownr: 'x' }] }, 'agents[0].ownr', /unknown field/],
  [
    'a claim that is not text',
    { agents: [{ ...agent, match: { issuer: 'k8s', claims: { sub: 5 } } }] },
    'agents[0].match.claims.sub',
    /must be text.*number 5/,
  ],
  [
    'an agent of an unknown issuer',
    { agents: [{ ...agent, match: { ...agent.match, issuer: 'elsewhere' } }] },
    'agents[0].match.issuer',
    /no issuer "elsewhere"/,
  ],
  [
    'an agent id twice',
    { agents: [agent, { ...agent, match: { issuer: 'k8s', claims: { sub: 'x' } } }] },
    'agents[1].id',
    /already used by agents\[0\]/,
  ],
  [
    'two agents with one selector',
    { agents: [agent, { ...agent, id: 'b' }] },
    'agents[1].match',
    /already used by agents\[0\]/,
  ],
  [
    'an entitlement id twice',
    { entitlements: [entitlement, entitlement] },
    'entitlements[1].id',
    /already used/,
  ],
  [
    'a tenant nobody has',
    { entitlements: [{ ...entitlement, tenants: ['suport'] }] },
    'entitlements[0].tenants[0]',
    /no agent has/,
  ],
  [
    'a provider that is not there',
    { entitlements: [{ ...entitlement, provider: 'aws' }] },
    'entitlements[0].provider',
    /configured: disk/,
  ],
  [
    'a target the provider does not know',
    { entitlements: [{ ...entitlement, target: { folder: 7 } }] },
    'entitlements[0].target.folder',
    /must be text/,
  ],
  [
    'no target',
    { entitlements: [{ ...entitlement, target: undefined }] },
    'entitlements[0].target',
    /required/,
  ],
  [
    'an empty ceiling',
    { entitlements: [{ ...entitlement, ceiling: [] }] },
    'entitlements[0].ceiling',
    /at least one/,
  ],
  [
    'a ceiling in another vocabulary',
    { entitlements: [{ ...entitlement, ceiling: [{ ...entitlement.ceiling[0], type: 'aws' }] }] },
    'entitlements[0].ceiling[0].type',
    /must be "files"/,
  ],
  [
    'a ceiling with a foreign action',
    {
      entitlements: [
        { ...entitlement, ceiling: [{ ...entitlement.ceiling[0], actions: ['s3:GetObject'] }] },
      ],
    },
    'entitlements[0].ceiling[0]',
    /not an fs action/,
  ],
  [
    'a ceiling that cannot be expressed',
    {
      entitlements: [
        { ...entitlement, ceiling: [{ ...entitlement.ceiling[0], locations: ['tickets'] }] },
      ],
    },
    'entitlements[0].ceiling[0]',
    /cannot be expressed/,
  ],
  [
    'residuals nobody accepted',
    { entitlements: [{ ...entitlement, target: { folder: 'x', kind: 'leaky' } }] },
    'entitlements[0].accept_residuals',
    /open handles/,
  ],
  [
    'a target weaker than accepted',
    { entitlements: [{ ...entitlement, target: { folder: 'x', kind: 'slow' } }] },
    'entitlements[0].revocability',
    /write revocability: expiry/,
  ],
  [
    'a default longer than the maximum',
    { entitlements: [{ ...entitlement, default_ttl: '20m', max_ttl: '10m' }] },
    'entitlements[0].default_ttl',
    /longer than max_ttl/,
  ],
  [
    'a duration of zero',
    { entitlements: [{ ...entitlement, default_ttl: '0s' }] },
    'entitlements[0].default_ttl',
    /90s/,
  ],
  [
    'a duration as a number',
    { limits: { task_max_ttl: 60 } },
    'limits.task_max_ttl',
    /must be text/,
  ],
  [
    'a limit of zero',
    { limits: { open_tasks_per_agent: 0 } },
    'limits.open_tasks_per_agent',
    /at least 1/,
  ],
  [
    'an unknown provider type',
    { providers: { disk: { type: 'floppy' } } },
    'providers.disk.type',
    /files/,
  ],
  [
    'settings the provider does not know',
    { providers: { disk: { type: 'files', root: '/', speed: 1 } } },
    'providers.disk.speed',
    /unknown field/,
  ],
  [
    'a reference to nothing',
    { providers: { disk: { type: 'files', root: '/', token: 'env:NOT_SET' } } },
    'providers.disk.token',
    /set that variable/,
  ],
  [
    'a signal secret in place',
    { signals: { sources: [{ ...source, secret: 'whsec_abc' }] } },
    'signals.sources[0].secret',
    /env:NAME or file:PATH/,
  ],
  [
    'a signal secret that cannot verify anything',
    { signals: { sources: [{ ...source, secret: 'env:WEAK_SECRET' }] } },
    'signals.sources[0].secret',
    /must hold 24 to 64 bytes/,
  ],
  [
    'an approval webhook over plain HTTP',
    { approvals: { webhook: { url: 'http://chat.example.com/x', secret: 'env:SPLUNK_SECRET' } } },
    'approvals.webhook.url',
    /must be an https URL/,
  ],
  [
    'an approval webhook with a password in its URL',
    {
      approvals: { webhook: { url: 'https://a:b@chat.example.com', secret: 'env:SPLUNK_SECRET' } },
    },
    'approvals.webhook.url',
    /without user, password/,
  ],
  [
    'an approval webhook secret that cannot sign anything',
    { approvals: { webhook: { url: 'https://chat.example.com', secret: 'env:WEAK_SECRET' } } },
    'approvals.webhook.secret',
    /must hold 24 to 64 bytes/,
  ],
  [
    'an approval webhook secret in place',
    { approvals: { webhook: { url: 'https://chat.example.com', secret: WEBHOOK_SECRET } } },
    'approvals.webhook.secret',
    /env:NAME or file:PATH/,
  ],
  [
    'an approval that waits for ever',
    { approvals: { pending_ttl: '0s' } },
    'approvals.pending_ttl',
    /not a duration above zero/,
  ],
  [
    'one exclusive folder for two tenants',
    {
      agents: [
        agent,
        {
          ...agent,
          id: 'biller',
          tenant: 'billing',
          match: { issuer: 'k8s', claims: { sub: 'b' } },
        },
      ],
      entitlements: [entitlement, { ...entitlement, id: 'bills', tenants: ['billing'] }],
    },
    'entitlements[1].target',
    /tickets would serve several tenants \(support, billing\)/,
  ],
  [
    'an account of two pools',
    {
      providers: { disk: { type: 'files', root: '/' }, other: { type: 'files', root: '/' } },
      entitlements: [
        { ...entitlement, target: { folder: 'a', account: 'robot@pool' } },
        {
          ...entitlement,
          id: 'more',
          provider: 'other',
          target: { folder: 'b', account: 'robot@pool' },
        },
      ],
    },
    'entitlements[1].target',
    /robot@pool is in the pool of "disk" already/,
  ],
  [
    'a webhook that nobody signs',
    { signals: { sources: [{ ...source, secret: undefined }] } },
    'signals.sources[0].secret',
    /is required/,
  ],
  [
    'a secret path without networks',
    { signals: { sources: [{ ...unsigned, networks: undefined }] } },
    'signals.sources[0].networks',
    /is required with path_secret/,
  ],
  [
    'a network that is none',
    { signals: { sources: [{ ...unsigned, networks: ['10.0.0.0/33'] }] } },
    'signals.sources[0].networks[0]',
    /must be a network/,
  ],
  [
    'a secret path whose messages nobody can read',
    { signals: { sources: [{ ...unsigned, preset: undefined }] } },
    'signals.sources[0].map',
    /is required with path_secret/,
  ],
  [
    'a secret path for a sender that can sign',
    { signals: { sources: [{ ...unsigned, secret: 'env:SPLUNK_SECRET' }] } },
    'signals.sources[0].path_secret',
    /cannot sign/,
  ],
  [
    'a secret path that can be guessed',
    { signals: { sources: [{ ...unsigned, path_secret: 'env:WEAK_SECRET' }] } },
    'signals.sources[0].path_secret',
    /must be 32 to 256/,
  ],
  [
    'a map with a place that is none',
    { signals: { sources: [{ ...unsigned, map: { subject: { agent: 7 } } }] } },
    'signals.sources[0].map.subject.agent',
    /./,
  ],
  [
    'a transmitter over plain HTTP',
    { signals: { sources: [{ ...transmitter, issuer: 'http://idp.example.com' }] } },
    'signals.sources[0].issuer',
    /must be an https URL/,
  ],
  [
    'a transmitter that signs with a shared secret',
    { signals: { sources: [{ ...transmitter, algorithms: ['HS256'] }] } },
    'signals.sources[0].algorithms[0]',
    /must be one of RS256/,
  ],
  [
    'an event nobody knows',
    {
      signals: { sources: [{ ...transmitter, events: { 'session-revokt': { action: 'note' } } }] },
    },
    'signals.sources[0].events.session-revokt',
    /unknown field|invalid key/,
  ],
  [
    'an identifier that names an unknown agent',
    { signals: { sources: [{ ...transmitter, subjects: [{ ...listed, agent: 'nobody' }] }] } },
    'signals.sources[0].subjects[0].agent',
    /there is no agent "nobody"/,
  ],
  [
    'an identifier that is none',
    {
      signals: {
        sources: [{ ...transmitter, subjects: [{ ...listed, identifier: { format: 'email' } }] }],
      },
    },
    'signals.sources[0].subjects[0].identifier',
    /must be one subject identifier/,
  ],
  [
    'a signal source of an unknown tenant',
    { signals: { sources: [{ ...source, scope: { tenants: ['x'] } }] } },
    'signals.sources[0].scope.tenants[0]',
    /no agent has/,
  ],
  [
    'an operator without token or match',
    { operators: [{ name: 'boss', roles: ['admin'], tenants: ['*'] }] },
    'operators[0]',
    /mayfly token new/,
  ],
  [
    'an operator of an unknown issuer',
    {
      operators: [
        {
          name: 'boss',
          roles: ['admin'],
          tenants: ['*'],
          match: { issuer: 'x', claims: { sub: 'y' } },
        },
      ],
    },
    'operators[0].match.issuer',
    /no issuer/,
  ],
  [
    'a token hash in capitals',
    { operators: [{ ...operator, token_sha256: 'A'.repeat(64) }] },
    'operators[0].token_sha256',
    /64 lower-case/,
  ],
  [
    'one token for two operators',
    { operators: [operator, { ...operator, name: 'two' }] },
    'operators[1].token_sha256',
    /already used/,
  ],
  [
    'a gateway nobody could recognise',
    { gateways: [{ name: 'tools', tenants: ['support'] }] },
    'gateways[0]',
    /token_sha256 .* or match/,
  ],
  [
    'a gateway of every tenant',
    { gateways: [{ name: 'tools', tenants: ['*'], token_sha256: 'b'.repeat(64) }] },
    'gateways[0].tenants[0]',
    /./,
  ],
  [
    'a gateway with a role',
    { gateways: [{ name: 'tools', tenants: ['support'], roles: ['admin'] }] },
    'gateways[0].roles',
    /unknown field/,
  ],
  [
    'a day that is none',
    { operators: [{ ...operator, expires_at: 'soon' }] },
    'operators[0].expires_at',
    /2027-01-31/,
  ],
  [
    'a public listener without TLS',
    { server: { listen: '0.0.0.0:8700', public_url: 'https://m.example.com' } },
    'server.listen',
    /tls.*behind_proxy/,
  ],
  [
    'a public listener without a name',
    { server: { listen: '[::]:8700', behind_proxy: true } },
    'server.public_url',
    /required/,
  ],
  ['a port that is none', { server: { listen: '127.0.0.1:99999' } }, 'server.listen', /host:port/],
  ['another store', { store: { url: 'postgres://db' } }, 'store.url', /sqlite:PATH/],
]

describe('refuses, naming the path', () => {
  it.each(refused)('P16: %s', (_title, change, path, message) => {
    expect(problemsOf({ ...valid, ...change })).toEqual([
      { path, message: expect.stringMatching(message) },
    ])
  })

  it('P16: all problems of all sections at once', () => {
    const paths = problemsOf({
      version: 2,
      installation: '!',
      server: { listen: 'x' },
      agents: [
        { ...agent, proof: 'weak' },
        { ...agent, tenant: '' },
      ],
      entitlements: [{ ...entitlement, tenants: [], default_ttl: 'x' }],
      providers: { disk: { type: 'files' } },
      operators: [{ ...operator, roles: [] }],
      limits: { nonsense: 1 },
    }).map((problem) => problem.path)
    expect(paths).toEqual([
      'version',
      'installation',
      'server.listen',
      'agents[0].proof',
      'agents[1].tenant',
      'providers.disk.root',
      'entitlements[0].tenants',
      'entitlements[0].default_ttl',
      'operators[0].roles',
      'limits.nonsense',
    ])
  })

  it('does not blame references to an entry that only failed to parse itself', () => {
    const broken = { ...valid, issuers: [{ name: 'k8s', type: 'oidc', audience: 'mayfly' }] }
    expect(problemsOf(broken).map((p) => p.path)).toEqual(['issuers[0].issuer'])
  })

  it.each([
    ['a duplicate key', 'version: 1\nversion: 1\n', 'line 2, column 1'],
    ['broken indentation', 'a: [1\nb: 2', 'line 2, column 1'],
    ['an unknown tag', 'version: !!js/function "x"', 'line 1, column 10'],
    ['two documents', 'version: 1\n---\nversion: 1\n', 'line 2, column 1'],
  ])('%s, with its line', (_title, text, path) => {
    expect(problemsOf(text).map((p) => p.path)).toContain(path)
  })

  it('an alias bomb', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg']) {
      bomb.push(`${to}: &${to} [${`*${from}, `.repeat(9)}*${from}]`)
    }
    expect(problemsOf(bomb.join('\n'))[0]?.message).toMatch(/alias/)
  })

  it('a value that contains itself, and one that nests without end', () => {
    const providers = (value: string) => `version: 1\ninstallation: aa\nproviders:\n  p: ${value}`
    const deep = providers(`{ type: files, x: ${'['.repeat(400)}${']'.repeat(400)} }`)
    for (const text of [providers('&a { type: files, x: *a, y: *a }'), deep]) {
      expect(problemsOf(text)).toEqual([
        { path: '', message: 'nests deeper than 64 levels, or into itself' },
      ])
    }
  })

  it('what is no mapping at all', () => {
    for (const text of ['', '- 1', 'hello', '5']) expect(problemsOf(text)).toHaveLength(1)
  })
})

describe('warns, and still starts', () => {
  const warningsOf = (change: Doc) => parse({ ...valid, ...change })

  it('about an expired operator token', () => {
    const result = warningsOf({ operators: [{ ...operator, expires_at: '2026-05-31' }] })
    expect(result).toMatchObject({ ok: true, warnings: [{ path: 'operators[0].expires_at' }] })
  })

  it('about a ceiling that is only too large for one credential', () => {
    const locations = ['/a', '/b', '/c', '/d']
    const ceiling = [{ type: 'files', actions: ['fs:read'], locations }]
    const result = warningsOf({ entitlements: [{ ...entitlement, ceiling }] })
    expect(result).toMatchObject({ ok: true, warnings: [{ path: 'entitlements[0].ceiling' }] })
  })

  it('about a dataset that meets nothing of the ceiling', () => {
    const datasets = [{ name: 'pii', locations: ['/tikets/customers'] }]
    const result = warningsOf({ entitlements: [{ ...entitlement, datasets }] })
    expect(result).toMatchObject({ ok: true, warnings: [{ path: 'entitlements[0].datasets[0]' }] })
  })
})

it('never throws, whatever the text', () => {
  const text = stringify(valid)
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(text.length), cut: fc.nat(8), put: fc.string() }), {
        maxLength: 4,
      }),
      (edits) => {
        const mutated = edits.reduce(
          (t, e) => t.slice(0, e.at) + e.put + t.slice(e.at + e.cut),
          text,
        )
        const result = parse(mutated)
        expect(result.ok || result.problems.length > 0).toBe(true)
      },
    ),
    { numRuns: 300 },
  )
})

it('never throws on any values in any section', () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(valid)), fc.jsonValue(), (section, value) => {
      expect(() => parse({ ...valid, [section]: value })).not.toThrow()
    }),
    { numRuns: 300 },
  )
})

describe('the difference of two configurations', () => {
  it('is empty for the same file and says every change in one line', () => {
    const before = configOf(valid)
    expect(diffConfig(before, configOf(valid))).toEqual([])
    const after = configOf({
      ...valid,
      server: { listen: '127.0.0.1:8800' },
      agents: [agent, { ...agent, id: 'b', match: { issuer: 'k8s', claims: { sub: 'b' } } }],
      entitlements: [{ ...entitlement, default_ttl: '10m', revocability: 'expiry' }],
      providers: { disk: { type: 'files', root: '/srv2', token: 'env:SPLUNK_SECRET' } },
      signals: {},
      operators: [{ ...operator, token_sha256: 'b'.repeat(64) }],
    })
    expect(diffConfig(before, after).toSorted()).toEqual(
      [
        '~ server.port: 8700 -> 8800 (takes a restart)',
        '~ server.public_url: http://127.0.0.1:8700 -> http://127.0.0.1:8800 (takes a restart)',
        '+ agents.b',
        '~ entitlements.tickets-read.default_ttl: 5m -> 10m',
        '~ entitlements.tickets-read.revocability: propagating -> expiry',
        '~ operators.boss.token_sha256 changed',
        '~ providers.disk.root: /srv -> /srv2',
        '~ providers.disk.token: env:DISK_TOKEN -> env:SPLUNK_SECRET',
        '- signals.sources.splunk',
      ].toSorted(),
    )
  })
})

describe('loadConfig', () => {
  let dir = ''
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  function write(document: Doc, extra: Record<string, string> = {}) {
    dir = mkdtempSync(join(tmpdir(), 'mayfly-config-'))
    writeFileSync(join(dir, 'mayfly.yaml'), stringify({ ...document, policies: '.' }))
    for (const [name, text] of Object.entries(extra)) writeFileSync(join(dir, name), text)
    return loadConfig({
      file: join(dir, 'mayfly.yaml'),
      env: ENV,
      now: NOW,
      providerTypes: { files: async () => files, never: () => Promise.reject(new Error('loaded')) },
    })
  }

  const policy = '@id("all") permit (principal, action == Mayfly::Action::"openTask", resource);'

  it('reads policies beside the file, compiles them and imports only configured types', async () => {
    const result = await write(valid, { 'b.cedar': policy })
    expect(result).toMatchObject({ ok: true, policies: { policyIds: ['all'] } })
  })

  it('P16: reports policy problems together with those of the file', async () => {
    const result = await write({ ...valid, version: 3 }, { 'b.cedar': 'permit (principal' })
    expect(result.ok ? [] : result.problems.map((p) => p.path)).toEqual([
      'version',
      expect.stringContaining('b.cedar'),
    ])
  })

  it('says which file is missing and what to do', async () => {
    const result = await loadConfig({ file: '/nowhere/mayfly.yaml', env: {}, now: NOW })
    expect(result).toMatchObject({
      ok: false,
      problems: [{ path: '/nowhere/mayfly.yaml', message: expect.stringContaining('mayfly init') }],
    })
  })

  it('reads a secret from a file anew each time, and warns when others can read it', async () => {
    const providers = { disk: { type: 'files', root: '/', token: 'file:token' } }
    const result = await write({ ...valid, providers }, { token: 'first\n' })
    if (!result.ok) throw new Error(JSON.stringify(result.problems))
    expect(result.warnings).toMatchObject([
      expect.anything(),
      { path: 'file:token', message: expect.stringContaining('chmod 600') },
    ])
    writeFileSync(join(dir, 'token'), 'second\n')
    expect(result.config.secret('file:token').reveal()).toBe('second')
  })
})

/** The example of the README and the design, with the providers that ship. */
const shipped = {
  ...valid,
  providers: {
    aws: { type: 'aws-sts', region: 'us-east-1' },
    vault: {
      type: 'vault',
      address: 'https://vault.example.com:8200',
      auth: { method: 'approle', role_id: 'mayfly', secret_id: 'env:DISK_TOKEN' },
      mounts: { secret: 'kv' },
    },
    gcp: { type: 'gcp' },
  },
  entitlements: [
    {
      ...entitlement,
      provider: 'aws',
      target: { role_arn: 'arn:aws:iam::111122223333:role/agent-tickets' },
      ceiling: [{ type: 'aws', actions: ['s3:GetObject'], locations: ['arn:aws:s3:::tickets/*'] }],
      datasets: [{ name: 'pii', locations: ['arn:aws:s3:::tickets/customers/*'] }],
    },
  ],
}

describe('with the providers that ship', () => {
  async function load(document: Doc) {
    const dir = mkdtempSync(join(tmpdir(), 'mayfly-config-'))
    try {
      writeFileSync(join(dir, 'mayfly.yaml'), stringify({ ...document, policies: '.' }))
      return await loadConfig({ file: join(dir, 'mayfly.yaml'), env: ENV, now: NOW })
    } finally {
      rmSync(dir, { recursive: true })
    }
  }

  it('reads one of each', async () => {
    const result = await load(shipped)
    expect(result.ok ? [] : result.problems).toEqual([])
    expect(result).toMatchObject({ ok: true, warnings: [{ path: 'policies' }] })
  })

  it('P2: refuses a secret written in place, once and without repeating it', async () => {
    const providers = {
      ...shipped.providers,
      vault: { ...shipped.providers.vault, auth: { method: 'token', token: 'hvs.canary' } },
    }
    const result = await load({ ...shipped, providers })
    const problems = result.ok ? [] : result.problems
    expect(problems).toEqual([
      { path: 'providers.vault.auth.token', message: expect.stringContaining('env:NAME') },
    ])
    expect(JSON.stringify(problems)).not.toContain('canary')
  })
})
