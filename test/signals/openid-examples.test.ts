/**
 * The example events of the texts, which nobody here wrote:
 * https://openid.net/specs/openid-caep-1_0-final.html
 * https://openid.net/specs/openid-sharedsignals-framework-1_0-final.html
 * https://openid.net/specs/openid-risc-1_0-final.html
 * (© The OpenID Foundation, reproduced for implementing them). They share ids and one is dated to
 * the year 2451; both are put right here, and nothing else.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Api, testApi } from '../fixture/http.ts'

interface Example {
  readonly text: string
  readonly set: {
    readonly iss: string
    readonly aud: string | readonly string[]
    readonly iat: number
    readonly sub_id: Readonly<Record<string, unknown>>
    readonly events: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  }
}

const examples = (
  JSON.parse(
    readFileSync(new URL('openid-examples.json', import.meta.url), 'utf8'),
  ) as readonly Example[]
).map(({ text, set }, index) => {
  const iat = set.iat > 10_000_000_000 ? Math.floor(set.iat / 10) : set.iat
  return { text, set: { ...set, iat, jti: `example-${index}` } }
})

const [CAEP, RISC] = ['caep', 'risc'].map(
  (kind) => `https://schemas.openid.net/secevent/${kind}/event-type/`,
)

/** What each comes to when it is about somebody known here; others are kept without effect. */
const EFFECT: Readonly<Record<string, [level: string, action: string]>> = {
  [`${CAEP}session-revoked`]: ['HIGH', 'kill'],
  [`${CAEP}token-claims-change`]: ['MEDIUM', 'risk'],
  [`${CAEP}credential-change`]: ['MEDIUM', 'risk'],
  [`${CAEP}device-compliance-change`]: ['HIGH', 'kill'],
  [`${CAEP}risk-level-change`]: ['LOW', 'risk'],
  [`${RISC}account-disabled`]: ['HIGH', 'kill'],
  [`${RISC}account-enabled`]: ['LOW', 'risk'],
  [`${RISC}account-credential-change-required`]: ['MEDIUM', 'risk'],
  [`${RISC}identifier-recycled`]: ['HIGH', 'kill'],
  [`${RISC}credential-compromise`]: ['HIGH', 'kill'],
}

const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  [`${CAEP}token-claims-change`]: ['claims'],
  [`${CAEP}credential-change`]: ['credential_type', 'change_type'],
  [`${CAEP}assurance-level-change`]: ['namespace', 'current_level'],
  [`${CAEP}device-compliance-change`]: ['previous_status', 'current_status'],
  [`${CAEP}risk-level-change`]: ['principal', 'current_level'],
  [`${RISC}credential-compromise`]: ['credential_type'],
  'https://schemas.openid.net/secevent/ssf/event-type/stream-updated': ['status'],
}

/** A source for each example, with the issuer and the audience it says. */
function house(subjects: readonly object[] = []): Promise<Api> {
  return testApi({
    change: (document) => {
      for (const [index, { set }] of examples.entries()) {
        document.signals.sources.push({
          name: `example-${index}`,
          type: 'ssf',
          issuer: set.iss,
          jwks_uri: document.issuers[0].jwks_uri,
          audience: [set.aud].flat()[0],
          max_age: '9999d',
          subjects,
        })
      }
    },
  })
}

async function push(api: Api, index: number, claims: object, header: object = {}) {
  const token = await api.issuer.sign({ ...claims }, { header: { typ: 'secevent+jwt', ...header } })
  return await api.call(`POST /v1/ssf/example-${index}`, {
    body: token,
    headers: { 'content-type': 'application/secevent+jwt' },
  })
}

async function kept(api: Api, index: number) {
  const { items } = (await api.as('admin', `GET /v1/signals?source=example-${index}`)).body
  return items[0]
}

describe('the example events of CAEP, SSF and RISC', () => {
  test('are accepted, and about nobody here', async () => {
    const api = await house()
    const task = await api.open()
    expect(examples.length).toBe(27)
    for (const [index, { set }] of examples.entries()) {
      const answer = await push(api, index, set)
      expect([index, answer.status, answer.text]).toEqual([index, 202, ''])
      const [event] = Object.keys(set.events)
      expect(await kept(api, index)).toMatchObject({
        message_id: `example-${index}`,
        subject: {},
        action: 'note',
        about: { event, subject: set.sub_id },
      })
    }
    await api.advanceKills()
    expect((await api.as('admin', `GET /v1/tasks/${task.id}`)).body.state).toBe('open')
  })

  test('have the effect of their type once their subject is known', async () => {
    // Those that only this operator can say the meaning of, and of complex ones a member.
    const simple = ({ format, user, device, ...rest }: Example['set']['sub_id']) =>
      format === 'complex' ? (user ?? device) : { format, ...rest }
    const known = examples.filter(({ set }) => set.sub_id.format !== 'catalog_item')
    const identifiers = known.map(({ set }) => simple(set.sub_id))
    const api = await house(identifiers.map((identifier) => ({ identifier, agent: 'biller' })))
    for (const [index, { set }] of examples.entries()) {
      if (set.sub_id.format === 'catalog_item') continue
      expect((await push(api, index, set)).status).toBe(202)
      const [[uri = '', event = {}] = []] = Object.entries(set.events)
      const assurance = uri === `${CAEP}assurance-level-change`
      const increase = event.change_direction === 'increase'
      const [level, action] = assurance
        ? [increase ? 'LOW' : 'MEDIUM', 'risk']
        : (EFFECT[uri] ?? [undefined, 'note'])
      const signal = await kept(api, index)
      expect([uri, signal.level, signal.action]).toEqual([uri, level, action])
    }
  })

  test('are refused without a claim their text requires, or with one it forbids', async () => {
    const api = await house()
    for (const [index, { set }] of examples.entries()) {
      const [[uri = '', event = {}] = []] = Object.entries(set.events)
      const broken = [
        ...(REQUIRED[uri] ?? []).map((claim) => ({
          ...set,
          events: { [uri]: { ...event, [claim]: undefined } },
        })),
        { ...set, sub: 'jane' },
        { ...set, exp: set.iat + 60 },
        { ...set, sub_id: undefined },
        { ...set, iat: undefined },
        { ...set, jti: undefined },
        { ...set, events: { [uri]: { ...event, event_timestamp: 'yesterday' } } },
      ]
      for (const claims of broken.slice(0, uri.includes('/ssf/') ? -1 : undefined)) {
        const answer = await push(api, index, claims)
        expect([claims, answer.status, answer.body?.err]).toEqual([claims, 400, 'invalid_request'])
      }
      expect((await push(api, index, set, { typ: 'JWT' })).body.err).toBe('invalid_request')
      expect((await push(api, index, { ...set, iss: 'https://x.example' })).body.err).toBe(
        'invalid_issuer',
      )
      expect((await push(api, index, { ...set, aud: 'x' })).body.err).toBe('invalid_audience')
    }
    expect((await api.as('admin', 'GET /v1/signals')).body.items).toEqual([])
  })
})
