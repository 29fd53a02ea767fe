import { expect, it } from 'vitest'
import { planningHouse } from '../fixture/delegation.ts'

/** Forbids whatever is asked in the name of one agent, by whomever. */
const NOT_FOR = (agent: string) => [
  {
    name: 'open.cedar',
    text: `@id("open") permit(principal is Mayfly::Agent,
      action == Mayfly::Action::"requestCredential", resource);
      @id("not-for") forbid(principal == Mayfly::Agent::"${agent}",
      action in [Mayfly::Action::"requestCredential",
                 Mayfly::Action::"requestCredentialWithApproval"], resource);`,
  },
]

it('P4: a delegated decision keeps a question for everybody it rests on, and is made again of all', async () => {
  const api = await planningHouse()
  const planner = await api.open()
  const executor = await api.passOn(planner, 'reader')
  const { lease } = (await api.issue(executor)).body
  const path = `GET /v1/decisions/${lease.decision}/explanation`
  const { inputs } = (await api.as('support', path)).body
  expect(inputs.map((one: { agent: { id: string } }) => one.agent.id)).toEqual([
    'reader',
    'summariser',
  ])
  expect(inputs[0].chain[0].id).toBe('summariser')
  expect(inputs.map((one: { workload: { claims: object } }) => one.workload.claims)).toEqual([
    expect.objectContaining({ sub: 'reader' }),
    expect.objectContaining({ sub: 'robot' }),
  ])
  for (const [agent, outcome] of [
    ['reader', 'deny'],
    ['summariser', 'deny'],
    ['biller', 'permit'],
  ] as const) {
    const asked = { decision: lease.decision, policies: NOT_FOR(agent) }
    const { body } = await api.as('support', 'POST /v1/policies/simulate', asked)
    expect([agent, body.verdict.outcome]).toEqual([agent, outcome])
  }
})

it('P15: a refused delegation is explained like everything else', async () => {
  const api = await planningHouse()
  const intent = [
    {
      type: 'fake',
      identifier: 'tickets-write',
      actions: ['delete'],
      locations: ['/tickets/4711/*'],
    },
  ]
  const planner = await api.open({ intent })
  expect((await api.delegate(planner, 'reader', { intent })).status).toBe(403)
  const [refused] = (await api.as('support', 'GET /v1/decisions?outcome=deny')).body.items
  const { body } = await api.as('support', `GET /v1/decisions/${refused.id}/explanation`)
  expect(body.inputs[0]).toMatchObject({ action: 'delegate', executor: { id: 'reader' } })
  expect(body.needed).toEqual([
    'policy "delegate-low-impact" (delegation.cedar) would permit it with: context.request.impact.isEmpty()',
  ])
})
