import { expect, it } from 'vitest'
import { planningHouse } from '../fixture/delegation.ts'
import { TICKET } from '../fixture/http.ts'
import { KeyHolder } from '../fixture/key-holder.ts'

const BODY = { agent: 'reader', intent: [TICKET] }

it('P10: a bound planner delegates with its key alone, and its executor is bound to its own', async () => {
  const api = await planningHouse({
    change: (doc) => {
      for (const one of doc.agents) if (one.id === 'reader') one.proof = 'bound'
    },
  })
  const [planning, executing] = [await KeyHolder.of(api), await KeyHolder.of(api)]
  const planner = await planning.open()
  const line = `POST /v1/tasks/${planner.id}/delegations`
  expect(await api.refusal(line, { token: planner.token, body: BODY })).toBe('401 unauthenticated')
  const { status, body } = await planning.call(line, planner.token, { body: BODY })
  expect(status).toBe(201)

  const bearer = await api.take(body.token, 'reader')
  expect([bearer.status, bearer.body.code]).toEqual([403, 'proof_too_weak'])
  const executor = await executing.open({ delegation: body.token }, { sub: 'reader' })
  expect(await api.store.tasks.byId(executor.id as never)).toMatchObject({
    parent: planner.id,
    proof: 'bound',
    key: `jkt:${executing.thumbprint}`,
  })
  const credentials = `POST /v1/tasks/${executor.id}/credentials`
  const wish = { body: { entitlement: 'tickets-read' } }
  expect((await executing.call(credentials, executor.token, wish)).status).toBe(201)
  expect((await planning.call(credentials, executor.token, wish)).status).toBe(401)
})
