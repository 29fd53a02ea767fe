import { describe, expect, it } from 'vitest'
import { ask, DELETE, named, READ, shown, verdict, WRITING } from '../fixture/gateway.ts'
import { type Api, type Opened, TICKET, testApi } from '../fixture/http.ts'
import { KeyHolder } from '../fixture/key-holder.ts'

describe('a tool gateway that asks before each call', () => {
  it('P12: is told yes for what is within the intent, as a decision and an audit event', async () => {
    const api = await testApi()
    const task = await api.open()
    for (const subject of [named(task), shown(task)]) {
      const { status, body } = await ask(api, { subject })
      expect([status, body.decision]).toEqual([200, true])
      const kept = await api.as('admin', `GET /v1/decisions/${body.context.evaluation_id}`)
      expect(kept.body).toMatchObject({
        action: 'act',
        outcome: 'permit',
        agent: 'summariser',
        task: task.id,
        entitlement: 'tickets-read',
        policies: ['act-low-impact'],
      })
      const events = (await api.as('admin', `GET /v1/audit?task=${task.id}`)).body.items
      expect(events.at(-1)).toMatchObject({
        type: 'action.permitted',
        actor: 'gateway:tools',
        data: { decision: body.context.evaluation_id },
      })
    }
  })

  it.each([
    ['another action', { action: { name: 'delete' } }],
    ['another place', { resource: { type: 'fake', id: '/tickets/9/mail' } }],
    ['a wider place', { resource: { type: 'fake', id: '/tickets/*' } }],
    ['another vocabulary', { resource: { type: 'aws', id: '/tickets/4711/mail' } }],
    ['a place that is none', { resource: { type: 'fake', id: 'tickets' } }],
    [
      'another entitlement',
      {
        resource: {
          type: 'fake',
          id: '/tickets/4711/mail',
          properties: { entitlement: 'tickets-write' },
        },
      },
    ],
  ])('P4, P15: is told no for %s than the task said it would', async (_, asked) => {
    const api = await testApi()
    const task = await api.open()
    const { body } = await ask(api, { subject: named(task), ...asked })
    expect(body).toEqual({
      decision: false,
      context: { reason: 'outside_intent', evaluation_id: expect.stringMatching(/^dec_/) },
    })
    const { context } = body
    const why = await api.as('admin', `GET /v1/decisions/${context.evaluation_id}/explanation`)
    expect(why.body.decision).toMatchObject({ outcome: 'deny', rails: ['intent'] })
    const { action, resource } = { ...READ, ...asked }
    expect(why.body.intent).toMatchObject([
      { type: resource.type, actions: [action.name], locations: [resource.id] },
    ])
  })

  it('is told no once the task, or the lease that is acted with, has ended', async () => {
    const api = await testApi()
    const task = await api.open()
    const { lease } = (await api.issue(task)).body
    const subject = { type: 'lease', id: lease.id }
    expect(await verdict(api, { subject })).toBe(true)
    await api.call(`POST /v1/leases/${lease.id}/end`, { token: task.token, body: {} })
    expect(await verdict(api, { subject })).toBe('lease_ended')
    expect(await verdict(api, { subject: named(task) })).toBe(true)
    await api.call(`POST /v1/tasks/${task.id}/end`, { token: task.token, body: {} })
    expect(await verdict(api, { subject: named(task) })).toBe('task_ended')
    // Its token is dead: it stands for nobody any more.
    expect(await verdict(api, { subject: shown(task) })).toBe('unknown_subject')
    const late = await api.open({ ttl_seconds: 60 })
    await api.advance(60_000)
    expect(await verdict(api, { subject: named(late) })).toBe('task_ended')
  })

  it('P4: a lease allows no more than it was reserved for', async () => {
    const api = await testApi()
    const task = await api.open()
    const narrow = { intent: [{ ...TICKET, locations: ['/tickets/4711/mail'] }] }
    const { lease } = (await api.issue(task, narrow)).body
    const subject = { type: 'lease', id: lease.id }
    const other = { resource: { type: 'fake', id: '/tickets/4711/scan' } }
    expect(await verdict(api, { subject })).toBe(true)
    expect(await verdict(api, { subject, ...other })).toBe('outside_intent')
    expect(await verdict(api, { subject: named(task), ...other })).toBe(true)
  })

  it('destroys only with a bound key, and no more once the risk rose', async () => {
    const api = await testApi()
    const bearer = await api.open(WRITING)
    expect(await verdict(api, { subject: named(bearer), ...DELETE })).toBe('policy_denied')
    const holder = await KeyHolder.of(api)
    const subject = named(await holder.open(WRITING))
    const yes = (await ask(api, { subject, ...DELETE })).body
    expect(yes).toMatchObject({ decision: true, context: { key: `jkt:${holder.thumbprint}` } })
    const alarm = { subject: { agent: 'summariser' }, level: 'MEDIUM', reason: 'odd prompts' }
    const { headers, body } = api.delivery({ ...alarm, action: 'risk', ttl_seconds: 600 })
    const sent = await api.call('POST /v1/signals/siem', { headers, body })
    expect(sent.status, sent.text).toBe(202)
    expect(await verdict(api, { subject, ...DELETE })).toBe('policy_denied')
    expect(await verdict(api, { subject })).toBe(true)
  })

  it('P8: is told no from the moment a kill or a block is committed', async () => {
    const api = await testApi()
    const task = await api.open()
    const other = await api.open()
    const [lease, second] = await Promise.all([leaseOf(api, task), leaseOf(api, task)])
    await api.as('admin', 'POST /v1/kills', { selector: { lease: lease.id }, reason: 'odd' })
    expect(await verdict(api, { subject: lease })).toBe('lease_ended')
    expect(await verdict(api, { subject: second })).toBe(true)
    await api.as('admin', 'POST /v1/kills', { selector: { task: other.id }, reason: 'odd' })
    expect(await verdict(api, { subject: named(other) })).toBe('task_ended')
    const selector = { entitlement: 'tickets-read' }
    const { kill } = (await api.as('admin', 'POST /v1/kills', { selector, reason: 'odd' })).body
    expect(await verdict(api, { subject: named(task) })).toBe('blocked')
    await api.as('admin', `DELETE /v1/blocks/${kill.block}`)
    expect(await verdict(api, { subject: named(await api.open()) })).toBe(true)
  })
})

async function leaseOf(api: Api, task: Opened) {
  return { type: 'lease', id: (await api.issue(task)).body.lease.id as string }
}
