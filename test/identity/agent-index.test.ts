import fc from 'fast-check'
import { expect, it } from 'vitest'
import { agentIndex } from '../../src/identity/agent-index.ts'
import { matchesWorkload } from '../../src/identity/match.ts'
import type { AgentConfig } from '../../src/identity/settings.ts'
import type { Workload } from '../../src/identity/workload.ts'

const name = fc.constantFrom('a', 'b', 'a:b', 'a/b', '')
const pattern = fc.constantFrom('a', 'b', 'a:b', 'a:*', '*', 'a*')
const agents = fc.array(
  fc.record({
    match: fc.record({
      issuer: fc.constantFrom('corp', 'k8s'),
      claims: fc.dictionary(fc.constantFrom('sub', 'team'), pattern, { maxKeys: 2 }),
    }),
  }),
  { maxLength: 8 },
)
const workload = fc.record({
  issuer: fc.constantFrom('corp', 'k8s'),
  claims: fc.dictionary(fc.constantFrom('sub', 'team'), name, { maxKeys: 2 }),
  lists: fc.dictionary(fc.constantFrom('sub', 'team'), fc.array(name, { maxLength: 3 }), {
    maxKeys: 1,
  }),
})

it('P3: finds every agent that a workload matches, and no other', () => {
  fc.assert(
    fc.property(agents, workload, (some, shown) => {
      // Only what decides about a match; the rest of both is not looked at.
      const all = some as unknown as AgentConfig[]
      const one = shown as unknown as Workload
      const expected = all.filter((agent) => matchesWorkload(agent.match, one))
      expect(new Set(agentIndex(all)(one))).toEqual(new Set(expected))
      expect(agentIndex(all)(one)).toHaveLength(expected.length)
    }),
    { numRuns: 2_000 },
  )
})
