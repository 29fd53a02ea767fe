import { describe, expect, it } from 'vitest'
import { planningHouse } from '../fixture/delegation.ts'
import { TICKET } from '../fixture/http.ts'

describe('a planner passes work on', () => {
  it('to an executor that opens its own task below it and gets a credential in its name', async () => {
    const api = await planningHouse()
    const planner = await api.open({ ttl_seconds: 600 })
    const delegated = await api.delegate(planner, 'reader', { purpose: 'read it' })
    expect(delegated.status).toBe(201)
    const { delegation, token } = delegated.body
    expect(delegation).toMatchObject({
      id: expect.stringMatching(/^dlg_/),
      task: planner.id,
      agent: 'reader',
      tenant: 'support',
      purpose: 'read it',
      intent: [TICKET],
    })
    expect(token).toMatch(/^mfd_[\w-]{43}$/)

    const taken = await api.take(token, 'reader')
    expect(taken.status).toBe(201)
    const { task } = taken.body
    const act = {
      sub: 'reader',
      task: task.id,
      act: { sub: 'summariser', task: planner.id },
    }
    expect(task).toMatchObject({ agent: 'reader', parent: planner.id, depth: 1, act })
    expect(task.deadline).toBe(delegation.deadline)

    const issued = await api.issue({ id: task.id, token: taken.body.token })
    expect(issued.status).toBe(201)
    expect(issued.body.lease).toMatchObject({ agent: 'reader', act })
    const decision = await api.as('auditor', `GET /v1/decisions/${issued.body.lease.decision}`)
    expect(decision.body).toMatchObject({ outcome: 'permit', agent: 'reader', act })
    const shown = await api.call(`GET /v1/tasks/${planner.id}`, { token: planner.token })
    expect(shown.body).toMatchObject({ depth: 0, children: 1 })
    expect(shown.body).not.toHaveProperty('act')

    const events = await api.store.audit.read(0, 100, { task: planner.id })
    expect(events.map(({ type }) => type)).toEqual([
      'task.opened',
      'delegation.created',
      'delegation.used',
    ])
    expect(events[2]?.data).toEqual({ delegation: delegation.id, by: 'reader', child: task.id })
  })

  it('P7: the end of the root ends the tree in one commit, and its tokens are dead', async () => {
    const api = await planningHouse()
    const root = await api.open()
    const middle = await api.passOn(root, 'reader')
    const leaf = await api.passOn(middle, 'fetcher')
    const unused = (await api.delegate(middle, 'indexer')).body.token
    const { lease } = (await api.issue(leaf)).body
    await api.call(`POST /v1/tasks/${root.id}/end`, { token: root.token, body: {} })
    expect((await api.as('auditor', `GET /v1/leases/${lease.id}`)).body).toMatchObject({
      state: 'ending',
      cause: 'parent-ended',
    })
    for (const { token, id } of [middle, leaf]) {
      expect(await api.refusal(`GET /v1/tasks/${id}`, { token })).toBe('409 task_ended')
    }
    expect((await api.take(unused, 'indexer')).body.code).toBe('not_found')
    expect((await api.as('auditor', `GET /v1/tasks?tree=${root.id}`)).body.items).toHaveLength(3)
    expect((await api.as('auditor', `GET /v1/tasks?parent=${root.id}`)).body.items).toMatchObject([
      { id: middle.id, cause: 'parent-ended' },
    ])
  })
})
