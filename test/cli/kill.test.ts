import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KillWire } from '../../src/model/wire.ts'
import { type BrokerDouble, brokerDouble } from './broker-double.ts'
import { mayfly } from './run-mayfly.ts'

const soon = new Date(Date.now() + 252_000).toISOString()
const NOTHING = { pending: 0, unknown: 0, enforced: 0, proved: 0, expired: 0, remaining: 0 }
const ordered: KillWire = {
  id: 'kill_aaaaaaaaaaaaaaaaaaaa',
  selector: { agent: 'planner' },
  reason: 'leaked',
  ordered_by: 'operator:boss',
  created_at: new Date().toISOString(),
  dry_run: false,
  state: 'ordering',
  counts: { leases: 3, tasks: 62, agents: 2 },
  progress: NOTHING,
}
const whose = { agent: 'planner', tenant: 'support' }
const radius: KillWire['blast_radius'] = {
  refusable: 2,
  refused: 1,
  runs_out: 1,
  exposed_until: soon,
  upstreams: [
    {
      provider: 'gcp',
      revocability: 'expiry',
      refusable: false,
      leases: 1,
      refused: 0,
      exposed_until: soon,
    },
    {
      provider: 'vault',
      revocability: 'immediate',
      refusable: true,
      leases: 3,
      refused: 1,
      exposed_until: soon,
    },
  ],
  entitlements: [{ entitlement: 'tickets-read', leases: 3 }],
  agents: [{ ...whose, tasks: 62, leases: 3 }],
  tasks: [
    {
      id: 'task_a',
      ...whose,
      purpose: 'refund \u001b[2K\u202e order 12',
      leases: 2,
      ends: true,
      ended: false,
    },
    { id: 'task_b', ...whose, purpose: 'read', leases: 1, ends: false, ended: false },
    { id: 'task_c', ...whose, purpose: 'write', leases: 1, ends: false, ended: true },
  ],
}

/** How the kill stands at each look; the last one stays. */
let looks: KillWire[] = []
let broker: BrokerDouble
let env: Record<string, string> = {}
beforeAll(async () => {
  broker = await brokerDouble({
    'POST /v1/kills': ({ body }: { body: string }) => {
      const dry = JSON.parse(body).dry_run === true
      const dryRun = { ...ordered, id: 'dry-run', dry_run: true, blast_radius: radius }
      return { body: { kill: dry ? dryRun : ordered } }
    },
    [`GET /v1/kills/${ordered.id}`]: () => ({
      body: looks.length > 1 ? looks.shift() : looks[0],
    }),
  })
  env = { MAYFLY_URL: broker.url, MAYFLY_TOKEN: 'mfo_x' }
})
afterAll(() => broker.close())

const KILL = ['kill', '--agent', 'planner', '--reason', 'leaked']
const at = (state: KillWire['state'], progress: Partial<KillWire['progress']>): KillWire => ({
  ...ordered,
  ...(state === undefined ? {} : { state }),
  progress: { ...NOTHING, ...progress },
})

describe('a dry run', () => {
  it('says what can be ended, what only runs out, and what breaks', async () => {
    const { code, stdout } = await mayfly([...KILL, '--dry-run'], env)
    expect(code).toBe(0)
    expect(stdout).toContain('would kill agent=planner: 3 leases in 62 tasks of 2 agents')
    expect(stdout).toMatch(/ends +2 leases before they expire/)
    expect(stdout).toMatch(/runs out 1 lease only by itself, the last in 4m/)
    expect(stdout).toMatch(/gcp +1 +no: runs out +in 4m/)
    expect(stdout).toMatch(/vault +3 +immediate +in 4m/)
    expect(stdout).toMatch(/refused +1 lease already, by an end before/)
    expect(stdout).toMatch(/task_b .* goes on without +read/)
    expect(stdout).toMatch(/task_c .* has ended +write/)
    expect(stdout).toContain('and 59 more tasks')
  })

  it('prints the purpose of an agent as text, whatever it holds', async () => {
    const { stdout } = await mayfly([...KILL, '--dry-run'], env, { columns: 200 })
    expect(stdout).toMatch(/task_a .* ends +refund/)
    for (const hidden of ['\u001b[2K', '\u202e']) expect(stdout).not.toContain(hidden)
  })
})

describe('a kill by an operator of some tenants', () => {
  it('does not call everything of theirs everything', async () => {
    const theirs = { ...ordered, selector: { all: true }, tenants: ['billing'] } as KillWire
    const one = await brokerDouble({
      'POST /v1/kills': { kill: { ...theirs, block: 'block_a' } },
      'GET /v1/kills': { items: [theirs], next_cursor: null },
    })
    const there = { MAYFLY_URL: one.url, MAYFLY_TOKEN: 'mfo_x' }
    const killed = await mayfly(['kill', '--all', '--yes', '--reason', 'fire'], there)
    expect(killed.stdout).toContain('killed everything within tenant billing: 3 leases')
    expect(killed.stdout).toContain('nothing is issued for everything within tenant billing')
    const listed = await mayfly(['kills', 'ls'], there, { columns: 200 })
    expect(listed.stdout).toContain('everything within tenant billing')
    one.close()
  })
})

describe('a kill that names nobody', () => {
  it('says so, and its help says how each name is written', async () => {
    const nobody = { ...ordered, counts: { leases: 0, tasks: 0, agents: 0 } }
    const one = await brokerDouble({ 'POST /v1/kills': { kill: nobody } })
    const there = { MAYFLY_URL: one.url, MAYFLY_TOKEN: 'mfo_x' }
    const { stdout } = await mayfly(['kill', '--workload', 'robot', '--reason', 'leaked'], there)
    expect(stdout).toContain('nothing live matched: is the name right? mayfly kill --help')
    const help = (await mayfly(['kill', '--help'], {})).stdout
    expect(help).toMatch(/--workload <value> +issuer\/subject, as in tasks show/)
    expect(help).toMatch(/--target <value> +the whole of it, as in leases show/)
    one.close()
  })
})

describe('kill --wait', () => {
  it('shows how it comes along, and is done when nothing could work any more', async () => {
    looks = [
      at('ordering', { pending: 1, remaining: 1, exposed_until: soon }),
      at('ending', { pending: 1, proved: 2, remaining: 1, exposed_until: soon }),
      at('ended', { proved: 3 }),
    ]
    const { code, stdout } = await mayfly([...KILL, '--wait'], env)
    expect(code).toBe(0)
    expect(stdout).toMatch(/so far +2 ordered, 1 pending, 1 lease could still work, the last in 4m/)
    expect(stdout).toMatch(/so far +1 pending, 2 proved, 1 lease could still work/)
    expect(stdout.trimEnd()).toMatch(/so far +3 proved$/)
  })

  it('is done with what its upstream accepted to refuse, and says until when that is not sure', async () => {
    looks = [at('ending', { enforced: 3, remaining: 3, exposed_until: soon })]
    const { code, stdout } = await mayfly([...KILL, '--wait'], env)
    expect(code).toBe(0)
    expect(stdout).toMatch(/3 enforced, 3 leases could still work, the last in 4m/)
  })

  it('fails where the order is damaged: whom it named, and whether all of it ended, nobody knows', async () => {
    const refused = at('ending', { enforced: 3, remaining: 3, exposed_until: soon })
    looks = [{ ...refused, selector: {}, unreadable: true }]
    const { code, stderr } = await mayfly(['kills', 'show', ordered.id, '--wait', '5s'], env)
    expect(code).toBe(1)
    expect(stderr).toContain('order it again')
  })

  it('fails when the time is up and something still waits for its upstream', async () => {
    looks = [at('ending', { pending: 3, remaining: 3, exposed_until: soon })]
    const { code, stderr } = await mayfly(['kills', 'show', ordered.id, '--wait', '1s'], env)
    expect([code, stderr]).toEqual([1, expect.stringContaining('not all has ended yet')])
  })

  it('prints one document for programs', async () => {
    looks = [at('ending', { pending: 3, remaining: 3 }), at('ended', { proved: 3 })]
    const { stdout } = await mayfly(['--json', ...KILL, '--wait', '5s'], env)
    expect(JSON.parse(stdout).kill).toMatchObject({ state: 'ended', progress: { proved: 3 } })
  })

  it('wants a duration, and kills nobody without one', async () => {
    const before = broker.seen.length
    expect((await mayfly([...KILL, '--wait', 'long'], env)).code).toBe(2)
    expect(broker.seen.slice(before)).toEqual([])
  })
})
