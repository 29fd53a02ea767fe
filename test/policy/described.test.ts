import { describe, expect, it } from 'vitest'
import { describe as describeQuestion } from '../../src/policy/describe.ts'
import { agentDescription, description, questionOf } from '../../src/policy/described.ts'
import { credential, engineOf, NOW, opening } from './fixture.ts'

const kept = (value: unknown) => agentDescription.parse(JSON.parse(JSON.stringify(value)))

describe('a described question', () => {
  it('is the question again, whatever was asked', () => {
    const chain = [{ id: 'planner', tenant: 'support', owner: 'o', labels: ['x'] }]
    const risk = { level: 'MEDIUM', reasons: ['odd logins'] } as const
    const task = { ...credential().task, zones: new Set(['external']), ageSeconds: 7.5 }
    for (const question of [credential(), credential({ chain, risk, task }), opening({ risk })]) {
      const again = questionOf(kept(describeQuestion(question)))
      const labelled = { labels: [] }
      const expected = {
        ...question,
        agent: { ...labelled, ...question.agent },
        ...('entitlement' in question && {
          entitlement: { ...labelled, ...question.entitlement },
          task: { ...question.task, zones: [...question.task.zones] },
        }),
      }
      expect(again).toEqual(expected)
      const { decide } = engineOf(`permit(principal is Mayfly::Agent,
        action == Mayfly::Action::"requestCredential", resource)
        when { context.risk.level == "LOW" };`)
      expect(decide(again)).toEqual({ ...decide(question), question: again })
    }
  })

  it('is the question again also for an act', () => {
    const { action: _, entitlement, request, ...asked } = credential()
    const chain = [{ id: 'planner', tenant: 'support', owner: 'o', labels: ['x'] }]
    const resource = { id: '/a', type: 'fake', zone: 'external', datasets: ['pii'] }
    const act = { name: 'read', impact: ['bulk-read'] }
    const question = { action: 'act', ...asked, act, resource, chain } as const
    expect(questionOf(kept(describeQuestion(question)))).toMatchObject({ ...question, task: {} })
  })

  it('is short where everything is plain', () => {
    const question = questionOf(
      description.parse({
        agent: { tenant: 'support' },
        entitlement: { tenants: ['support'] },
        risk: 'HIGH',
      }),
    )
    expect(question).toMatchObject({
      action: 'requestCredential',
      risk: { level: 'HIGH', reasons: [] },
      workload: { proof: 'bearer' },
      now: NOW,
    })
  })

  it.each([
    { agent: { tenant: 'support' }, entitlement: {}, impact: ['bulk-read'] },
    { agent: { tenant: 'support' }, entitlement: {}, risk: 'high' },
    { agent: { tenant: 'support' } },
    { action: 'kill', operator: {} },
    { action: 'fly', agent: { tenant: 'support' } },
  ])('is refused where it is misspelt or says too little: %j', (value) => {
    expect(description.safeParse(value).success).toBe(false)
  })
})
