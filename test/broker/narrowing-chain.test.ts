import fc from 'fast-check'
import { expect, it } from 'vitest'
import { planningHouse } from '../fixture/delegation.ts'
import type { Answer } from '../fixture/http.ts'
import { TICKET } from '../fixture/http.ts'

/** Patterns of the fake upstream, and what there is for them to match. */
const PATTERNS = ['/tickets/*', '/tickets/a/*', '/tickets/a/b/*', '/tickets/a/b/1', '/tickets/c/*']
const THINGS = ['/tickets/a/b/1', '/tickets/a/b/2', '/tickets/a/x', '/tickets/c/y', '/tickets/z']
const EXECUTORS = ['reader', 'fetcher', 'indexer']

const item = fc
  .record({
    actions: fc.subarray(['read', 'list'], { minLength: 1 }),
    locations: fc.subarray(PATTERNS, { minLength: 1, maxLength: 2 }),
  })
  .map((part) => ({ ...TICKET, ...part }))
const level = fc.record({
  intent: fc.array(item, { minLength: 1, maxLength: 2 }),
  ttl_seconds: fc.integer({ min: 1, max: 900 }),
})

type Intent = readonly { actions: readonly string[]; locations: readonly string[] }[]

/** Every action on every thing that an intent allows, found without the vocabulary. */
function pointsOf(intent: Intent): Set<string> {
  const allows = (pattern: string, thing: string) =>
    pattern === thing || (pattern.endsWith('*') && thing.startsWith(pattern.slice(0, -1)))
  return new Set(
    intent.flatMap(({ actions, locations }) =>
      THINGS.filter((thing) => locations.some((pattern) => allows(pattern, thing))).flatMap(
        (thing) => actions.map((action) => `${action} ${thing}`),
      ),
    ),
  )
}

it('P4, P5: whatever is asked on the way, a chain only narrows and only shortens', async () => {
  const limits = {
    issues_per_minute_per_agent: 100_000,
    open_tasks_per_agent: 100_000,
    active_leases_per_agent: 100_000,
  }
  const api = await planningHouse({ change: (doc) => Object.assign(doc, { limits }) })
  const reached = [0, 0, 0, 0, 0]
  await fc.assert(
    fc.asyncProperty(
      fc.array(level, { minLength: 4, maxLength: 4 }),
      item,
      async (levels, wish) => {
        const [first, ...below] = levels
        if (!first) return
        let task = await api.open(first)
        const allowed = [pointsOf(first.intent)]
        let deadline = api.clock.now() + first.ttl_seconds * 1000
        for (const [at, { intent, ttl_seconds }] of below.entries()) {
          const agent = EXECUTORS[at] ?? ''
          const delegated = await api.delegate(task, agent, { intent, ttl_seconds })
          if (delegated.status !== 201) break
          const taken = await api.take(delegated.body.token, agent, { intent })
          expect(taken.status).toBe(201)
          const ends = Date.parse(taken.body.task.deadline)
          expect(ends).toBeLessThanOrEqual(deadline)
          deadline = ends
          allowed.push(pointsOf(intent))
          task = { id: taken.body.task.id, token: taken.body.token }
        }
        reached[allowed.length] = (reached[allowed.length] ?? 0) + 1
        const issued: Answer<{ lease?: { expires_at: string } }> = await api.issue(task, {
          intent: [wish],
          ttl_seconds: 900,
        })
        if (issued.status !== 201) return
        const granted = pointsOf(api.upstream.minted.at(-1)?.order.intent ?? [])
        expect(granted).toEqual(pointsOf([wish]))
        for (const level of allowed)
          expect([...granted].filter((point) => !level.has(point))).toEqual([])
        expect(Date.parse(issued.body.lease?.expires_at ?? '')).toBeLessThanOrEqual(deadline)
      },
    ),
    { numRuns: 60 },
  )
  expect(reached.slice(2).filter((count) => count > 0).length).toBeGreaterThan(1)
})
