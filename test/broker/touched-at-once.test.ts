import { describe, expect, it } from 'vitest'
import { type Planning, planningHouse } from '../fixture/delegation.ts'
import { type Opened, TICKET } from '../fixture/http.ts'

const ZONES = ['restricted', 'external'] as const
const item = (identifier: string) => ({ ...TICKET, identifier })
const INTENT = ZONES.map(item)

/** Two entitlements that no flow of information may hold both of. */
function house(): Promise<Planning> {
  return planningHouse({
    change: (doc) => {
      for (const zone of ZONES) {
        doc.entitlements.push({
          id: zone,
          zone,
          tenants: ['support'],
          provider: 'upstream',
          target: { account: zone },
          ceiling: [{ type: 'fake', actions: ['read'], locations: ['/tickets/*'] }],
        })
      }
    },
  })
}

/** What asking for both at once is answered, by whom of both. */
async function bothAtOnce(api: Planning, asking: readonly (readonly [Opened, string])[]) {
  const answers = await Promise.all(
    asking.map(([task, entitlement]) => api.issue(task, { entitlement })),
  )
  return answers.map(({ status, body }) => body.code ?? String(status)).toSorted()
}

describe('P4: what must not meet in one flow does not meet by being asked for at once', () => {
  it('in one task', async () => {
    const api = await house()
    const task = await api.open({ intent: INTENT })
    const asked = ZONES.map((zone) => [task, zone] as const)
    expect(await bothAtOnce(api, asked)).toEqual(['201', 'policy_denied'])
    expect(api.upstream.minted).toHaveLength(1)
  })

  it('in two executors of one planner', async () => {
    const api = await house()
    const planner = await api.open({ intent: INTENT })
    const asked = [
      [await api.passOn(planner, 'reader', { intent: [item('restricted')] }), 'restricted'],
      [await api.passOn(planner, 'fetcher', { intent: [item('external')] }), 'external'],
    ] as const
    expect(await bothAtOnce(api, asked)).toEqual(['201', 'policy_denied'])
  })

  it('and many that may meet are all issued at once', async () => {
    const api = await house()
    const task = await api.open({ intent: [TICKET, item('external')] })
    const asked = Array.from(
      { length: 12 },
      (_, n) => [task, n % 2 ? 'external' : TICKET.identifier] as const,
    )
    expect(new Set(await bothAtOnce(api, asked))).toEqual(new Set(['201']))
  })
})
