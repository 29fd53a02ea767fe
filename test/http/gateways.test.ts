import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gatewayToken, starterPolicies } from '../fixture/broker.ts'
import { ask, askAll, named, READ, shown, verdict } from '../fixture/gateway.ts'
import { type Api, INVOICE, testApi } from '../fixture/http.ts'

const EVALUATION = 'POST /access/v1/evaluation'
const tools = gatewayToken('tools')

const decisionsOf = async (api: Api) =>
  (await api.as('admin', 'GET /v1/decisions?limit=200')).body.items.filter(
    (one: { action: string }) => one.action === 'act',
  )

describe('who may ask', () => {
  it('P10: is a gateway by its own token or evidence, and nobody else', async () => {
    const api = await testApi({
      change: (doc) => {
        const match = { issuer: 'corp', claims: { sub: 'mesh-gateway' } }
        doc.gateways.push({ name: 'mesh', tenants: ['support'], match })
        doc.gateways[0].expires_at = '2027-02-01'
      },
    })
    const task = await api.open()
    const body = { subject: named(task), ...READ }
    const told = async (token?: string) => {
      const sent = token === undefined ? { body } : { token, body }
      const { status, headers, body: said } = await api.call(EVALUATION, sent)
      expect(headers.get('www-authenticate') !== null).toBe(status === 401)
      return status === 200 ? said.decision : status
    }
    expect(await told(tools)).toBe(true)
    expect(await told(await api.evidence({ sub: 'mesh-gateway' }))).toBe(true)
    const others = [task.token, api.operators.admin, await api.evidence(), `mfg_${'x'.repeat(43)}`]
    for (const token of [undefined, '', 'junk', ...others]) expect(await told(token)).toBe(401)
    const elsewhere = ['GET /v1/leases', `GET /v1/tasks/${task.id}`, 'POST /v1/kills']
    for (const line of elsewhere) {
      expect(await api.refusal(line, { token: tools })).toBe('401 unauthenticated')
    }
    await api.advance(30 * 86_400_000)
    expect(await told(tools)).toBe(401)
    expect(await decisionsOf(api)).toHaveLength(2)
  })

  it('P3: is refused as a whole where no policy lets it ask about anybody', async () => {
    const policies = starterPolicies().filter(({ name }) => name !== 'gateways.cedar')
    const api = await testApi({ policies })
    const { status, body } = await ask(api, { subject: named(await api.open()) })
    expect([status, body]).toEqual([403, 'no policy lets this gateway ask about anybody'])
  })

  it('P11: learns of no task, token or lease of another tenant that it is there', async () => {
    const api = await testApi()
    const theirs = await api.open({ intent: [INVOICE] }, { sub: 'biller' })
    const held = (await api.issue(theirs, { entitlement: 'invoices-read' })).body.lease
    const ended = await api.open({ intent: [INVOICE] }, { sub: 'biller' })
    await api.call(`POST /v1/tasks/${ended.id}/end`, { token: ended.token, body: {} })
    const resource = { type: 'fake', id: '/invoices/1/a' }
    expect(await verdict(api, { subject: named(theirs), resource }, 'wide')).toBe(true)
    const shape = async (subject: object) => {
      const { status, text, headers } = await ask(api, { subject, resource })
      return [status, text, [...headers].filter(([name]) => name !== 'x-request-id')]
    }
    const nobody = await shape({ type: 'task', id: `task_${'a'.repeat(20)}` })
    expect(nobody[1]).toBe('{"decision":false,"context":{"reason":"unknown_subject"}}')
    for (const subject of [
      named(theirs),
      named(ended),
      shown(theirs),
      { type: 'lease', id: held.id },
      { type: 'lease', id: `lease_${'a'.repeat(20)}` },
      { type: 'task', id: held.id },
      { type: 'task_token', id: 'f'.repeat(64) },
      { type: 'task_token', id: theirs.token },
      { type: 'user', id: 'alice' },
      { type: 'task', id: "'; drop table tasks" },
    ]) {
      expect([subject, await shape(subject)]).toEqual([subject, nobody])
    }
    expect(await decisionsOf(api), 'only the permit to the gateway of both').toHaveLength(1)
    const events = (await api.as('admin', 'GET /v1/audit?limit=200')).body.items
    const refused = events.filter((one: { type: string }) => one.type === 'action.refused')
    expect(refused).toHaveLength(11)
    for (const event of refused) {
      expect(event).toMatchObject({ actor: 'gateway:tools', data: { why: 'unknown-subject' } })
      expect(event).not.toHaveProperty('tenant')
      expect(event).not.toHaveProperty('task')
      expect(JSON.stringify(event)).not.toContain(theirs.id)
    }
  })

  it('P15: hears a reason and the decision, not the policies, the risk or what is behind them', async () => {
    const api = await testApi()
    const task = await api.open()
    const alarm = { subject: { agent: 'summariser' }, level: 'HIGH', action: 'risk' }
    const reason = 'canary-reason'
    const delivery = api.delivery({ ...alarm, reason, ttl_seconds: 600 })
    await api.call('POST /v1/signals/siem', delivery)
    const { body, text } = await ask(api, { subject: named(task) })
    const id = body.context.evaluation_id
    expect(text).toBe(
      `{"decision":false,"context":{"reason":"policy_denied","evaluation_id":"${id}"}}`,
    )
    const why = await api.as('admin', `GET /v1/decisions/${id}/explanation`)
    expect(why.body.decision.policies).toEqual(['high-risk'])
    expect(why.body.inputs[0].risk).toEqual({ level: 'HIGH', reasons: [reason] })
  })
})

describe('how much may be asked', () => {
  it('P13: so many a minute for each gateway and tenant, and none takes the place of another', async () => {
    const api = await testApi({
      change: (doc) => {
        doc.limits = { evaluations_per_minute_per_gateway: 5 }
      },
    })
    const subject = named(await api.open())
    const evaluations = Array.from({ length: 4 }, () => ({}))
    const four = await askAll(api, { subject, ...READ, evaluations }, 'wide')
    expect(four.body.evaluations).toHaveLength(4)
    expect(await verdict(api, { subject }, 'wide')).toBe(true)
    expect((await ask(api, { subject }, 'wide')).body).toEqual({
      decision: false,
      context: { reason: 'limit_reached', retry_after: expect.any(Number) },
    })
    const biller = named(await api.open({ intent: [INVOICE] }, { sub: 'biller' }))
    const resource = { type: 'fake', id: '/invoices/1/a' }
    expect(await verdict(api, { subject: biller, resource }, 'wide')).toBe(true)
    expect(await verdict(api, { subject })).toBe(true)
    expect(await decisionsOf(api), 'what came too fast was not written down').toHaveLength(7)
    const stranger = { type: 'task', id: 'x' }
    const strangers = Array.from({ length: 7 }, () => verdict(api, { subject: stranger }))
    expect((await Promise.all(strangers)).slice(4)).toEqual([
      'unknown_subject',
      'limit_reached',
      'limit_reached',
    ])
    await api.advance(60_000)
    expect(await verdict(api, { subject }, 'wide')).toBe(true)
  })

  it('fifty at once, and 64 KiB', async () => {
    const api = await testApi()
    const subject = named(await api.open())
    const many = (length: number) =>
      askAll(api, { subject, ...READ, evaluations: Array.from({ length }, () => ({})) })
    expect((await many(50)).body.evaluations).toHaveLength(50)
    const over = await many(51)
    expect([over.status, over.body]).toEqual([400, expect.stringMatching(/at most 50/)])
    const large = await ask(api, { subject, context: { filler: 'x'.repeat(70_000) } })
    expect([large.status, typeof large.body]).toEqual([413, 'string'])
    expect(await decisionsOf(api)).toHaveLength(50)
  })

  it('P17: nothing while the disk is short, so that kills have room', async () => {
    const api = await testApi()
    const subject = named(await api.open())
    api.broker.health.disk('the disk is nearly full')
    const { status, body } = await ask(api, { subject })
    expect([status, body]).toEqual([503, 'nothing is decided now, because it could not be kept'])
    expect(await decisionsOf(api)).toEqual([])
    api.broker.health.disk(undefined)
    expect(await verdict(api, { subject })).toBe(true)
  })

  it('P12: there is no yes that was not kept', async () => {
    const api = await testApi()
    const subject = named(await api.open())
    await api.store.close()
    const { status, body } = await ask(api, { subject })
    expect([status >= 500, typeof body]).toEqual([true, 'string'])
  })
})

it('P3: whatever a gateway sends, it is answered as the standard says and never told yes', async () => {
  const api = await testApi({
    change: (doc) => {
      doc.limits = { evaluations_per_minute_per_gateway: 1_000_000 }
    },
  })
  const task = await api.open()
  const good = { subject: named(task), ...READ }
  const odd = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('*', '', 'read', '\u202e', '/tickets/*', '__proto__', task.id, 'a'.repeat(600)),
    fc.array(fc.string(), { maxLength: 3 }),
  )
  const paths = [
    ['subject'],
    ['subject', 'type'],
    ['subject', 'id'],
    ['action'],
    ['action', 'name'],
    ['action', 'properties'],
    ['resource'],
    ['resource', 'type'],
    ['resource', 'id'],
    ['resource', 'properties'],
  ] as const
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), odd, fc.boolean(), async (path, value, batch) => {
      const body = structuredClone(good) as Record<string, unknown>
      const [outer, inner] = path
      if (inner === undefined) body[outer] = value
      else body[outer] = { ...(body[outer] as object), [inner]: value }
      const harmless = path[1] === 'properties' || JSON.stringify(body) === JSON.stringify(good)
      const answer = batch ? await askAll(api, { evaluations: [body] }) : await ask(api, body)
      expect([200, 400]).toContain(answer.status)
      const one = batch && answer.status === 200 ? answer.body.evaluations[0] : answer.body
      if (answer.status === 400) expect(typeof one).toBe('string')
      else if (!harmless) expect(one.decision).toBe(false)
    }),
    { numRuns: 300 },
  )
}, 60_000)
