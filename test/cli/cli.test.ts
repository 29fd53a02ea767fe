import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hashEvent } from '../../src/audit/chain.ts'
import type { LeaseWire } from '../../src/model/wire.ts'
import { type BrokerDouble, brokerDouble, problem } from './broker-double.ts'
import { mayfly, mayflyProcess } from './run-mayfly.ts'

const soon = new Date(Date.now() + 252_000).toISOString()
const lease: LeaseWire = {
  id: 'lease_aaaaaaaaaaaaaaaaaaaa',
  task: 'task_aaaaaaaaaaaaaaaaaaaa',
  agent: 'ticket-summariser',
  tenant: 'support',
  entitlement: 'tickets-read',
  provider: 'aws',
  target: 'arn:aws:iam::111122223333:role/agent-tickets',
  state: 'ending',
  containment: 'enforced',
  generation: 1,
  created_at: soon,
  expires_at: soon,
  exposed_until: soon,
  upstream_name: 'mf-aaaaaaaaaaaaaaaaaaaa',
  scope: { policy: { Statement: [] } },
  residuals: [],
  decision: 'dec_aaaaaaaaaaaaaaaaaaaa',
}
const page = { items: [lease], next_cursor: 'c2' }
const killed = {
  id: 'kill_aaaaaaaaaaaaaaaaaaaa',
  selector: { agent: 'ticket-summariser' },
  reason: 'leaked',
  ordered_by: 'operator:boss',
  created_at: soon,
  block: 'block_aaaaaaaaaaaaaaaaaaaa',
  dry_run: false,
  counts: { leases: 12, tasks: 1, agents: 1 },
  state: 'ending',
  progress: { pending: 12, unknown: 0, enforced: 0, proved: 0, expired: 0, remaining: 12 },
}

/** As the broker answers: committed, its leases not reached yet. */
function killedBy({ dry_run = false }: { dry_run?: boolean }) {
  return dry_run ? { ...killed, id: 'dry-run', block: undefined, dry_run } : killed
}

let broker: BrokerDouble
let env: Record<string, string> = {}
let dir = ''
beforeAll(async () => {
  broker = await brokerDouble({
    'GET /v1/leases': page,
    [`GET /v1/leases/${lease.id}`]: lease,
    'GET /v1/tasks': { items: [], next_cursor: null },
    'POST /v1/kills': ({ body }: { body: string }) => ({
      body: { kill: killedBy(JSON.parse(body)) },
    }),
    [`GET /v1/kills/${killed.id}`]: killed,
    'DELETE /v1/blocks/block_a': () => ({
      status: 403,
      body: problem(403, 'forbidden', 'not you'),
    }),
    'POST /v1/risk/clear': {
      cleared: [{ signal: 'sig_a', level: 'HIGH', subject: { agent: 'a' }, source: 'splunk' }],
    },
    'POST /v1/reload': { applied: false, changes: ['- agents.a'], would_end: 400, confirm: 'abc' },
    'POST /v1/signals/splunk': () => ({
      status: 202,
      body: {
        signal: { id: 'sig_a', action: 'kill', matched: { leases: 2, tasks: 1, agents: 1 } },
      },
    }),
    'POST /v1/signals/other': () => ({
      status: 401,
      body: problem(401, 'unauthenticated', 'the signal was not accepted'),
    }),
    'GET /v1/signals': () => ({ status: 401, body: problem(401, 'unauthenticated', 'who?') }),
  })
  env = { MAYFLY_URL: broker.url, MAYFLY_TOKEN: 'mfo_canary' }
  dir = mkdtempSync(join(tmpdir(), 'mayfly-cli-'))
})
afterAll(() => {
  broker.close()
  rmSync(dir, { recursive: true, force: true })
})
afterEach(() => {
  broker.seen.length = 0
})

describe('a list', () => {
  it('is a table that fits the terminal, with ids and what matters most whole', async () => {
    const { code, stdout, stderr } = await mayfly(['leases', 'ls'], env, { columns: 90 })
    expect(code).toBe(0)
    const [title = '', line = ''] = stripVTControlCharacters(stdout).split('\n')
    expect(title).toMatch(/^LEASE +AGENT +ENTITLEMENT +STATE +EXPOSED$/)
    expect(line).toContain(lease.id)
    expect(line.length).toBeLessThanOrEqual(90)
    expect(stderr).toContain('--cursor c2')
  })

  it('has colours on a terminal only, and not where NO_COLOR asks for none', async () => {
    const args = ['leases', 'ls']
    expect((await mayfly(args, env, { columns: 90 })).stdout).toContain('\u001b[')
    expect((await mayfly(args, env)).stdout).not.toContain('\u001b')
    const plain = await mayfly(args, { ...env, NO_COLOR: '1' }, { columns: 90 })
    expect(plain.stdout).not.toContain('\u001b')
  })

  it('with --json is exactly what the API answers', async () => {
    const { code, stdout } = await mayflyProcess(['--json', 'leases', 'ls'], env)
    expect([code, JSON.parse(stdout)]).toEqual([0, page])
  })

  it('sends its filters and the operator’s token', async () => {
    await mayfly(['leases', 'ls', '--agent', 'a', '--state', 'active', '--limit', '5'], env)
    expect(broker.seen[0]).toMatchObject({
      url: '/v1/leases?agent=a&state=active&limit=5',
      headers: { authorization: 'Bearer mfo_canary' },
    })
  })

  it('says so when it is empty', async () => {
    expect(await mayfly(['tasks', 'ls'], env)).toMatchObject({ code: 0, stdout: 'no tasks\n' })
  })
})

describe('one lease', () => {
  it('is shown with everything about it', async () => {
    const { code, stdout } = await mayfly(['leases', 'show', lease.id], env)
    expect(code).toBe(0)
    expect(stdout).toMatch(/containment +enforced/)
    expect(stdout).toMatch(/expires_at .*\(in 4m/)
    expect(stdout).toContain('"Statement": []')
  })
})

describe('a kill', () => {
  it('says what it matched, how to lift the block and how to watch', async () => {
    const args = ['kill', '--agent', 'ticket-summariser', '--reason', 'leaked', '--block', '1h']
    const { code, stdout } = await mayfly(args, env)
    expect(code).toBe(0)
    expect(stdout).toContain('12 leases in 1 task of 1 agent')
    expect(stdout).toContain(`mayfly blocks lift ${killed.block}`)
    expect(stdout).toContain(`mayfly kills show ${killed.id}`)
    expect(stdout).toContain('so far   12 pending, 12 leases could still work')
    expect(JSON.parse(broker.seen[0]?.body ?? '')).toEqual({
      selector: { agent: 'ticket-summariser' },
      reason: 'leaked',
      block_seconds: 3600,
    })
  })

  it.each([
    [['--agent', 'ticket-summariser'], true],
    [['--agent', 'ticket-summariser', '--block', '0'], false],
    [['--lease', lease.id], false],
  ])('%j tried out says whether it would block: %s', async (selector, blocks) => {
    const args = ['kill', ...selector, '--reason', 'x', '--dry-run']
    const { stdout } = await mayfly(args, env)
    expect(stdout).toContain('nothing was done')
    expect(stdout.includes('nothing would be issued')).toBe(blocks)
  })

  it('can be looked at again', async () => {
    const { code, stdout } = await mayfly(['kills', 'show', killed.id], env)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/reason +leaked/)])
  })

  it('joins selectors, in the names of the API', async () => {
    const args = ['kill', '--tenant', 't', '--policy-hash', 'h', '--reason', 'x', '--block', '0']
    await mayfly([...args, '--dry-run'], env)
    expect(JSON.parse(broker.seen[0]?.body ?? '')).toEqual({
      selector: { tenant: 't', policy_hash: 'h' },
      reason: 'x',
      block_seconds: 0,
      dry_run: true,
    })
  })

  it('of everything needs --yes where nobody can be asked', async () => {
    const refused = await mayfly(['kill', '--all', '--reason', 'x'], env)
    expect([refused.code, broker.seen]).toEqual([2, []])
    await mayfly(['kill', '--all', '--yes', '--reason', 'x'], env)
    expect(JSON.parse(broker.seen[0]?.body ?? '').selector).toEqual({ all: true })
  })

  it('of everything asks a person, and takes nothing but the whole word', async () => {
    const args = ['kill', '--all', '--reason', 'x']
    expect((await mayfly(args, env, { columns: 80, types: 'y' })).code).toBe(1)
    expect(broker.seen).toEqual([])
    expect((await mayfly(args, env, { columns: 80, types: 'everything' })).code).toBe(0)
    expect(broker.seen).toHaveLength(1)
  })

  it('of several leases is one order for each', async () => {
    await mayfly(['leases', 'kill', 'lease_a', 'lease_b', '--reason', 'x'], env)
    const selectors = broker.seen.map((one) => JSON.parse(one.body).selector)
    expect(selectors).toEqual([{ lease: 'lease_a' }, { lease: 'lease_b' }])
  })

  it.each([
    ['no selector', ['kill', '--reason', 'x']],
    ['no reason', ['kill', '--agent', 'a']],
    ['--all with another selector', ['kill', '--all', '--agent', 'a', '--yes', '--reason', 'x']],
    ['a block that is no duration', ['kill', '--agent', 'a', '--block', 'soon', '--reason', 'x']],
    ['a selector that does not exist', ['kill', '--agnet', 'a', '--reason', 'x']],
  ])('with %s is a usage error and reaches nobody', async (_title, args) => {
    expect((await mayfly(args, env)).code).toBe(2)
    expect(broker.seen).toEqual([])
  })
})

describe('a risk that was a false alarm', () => {
  it('is cleared by its signal, with a reason', async () => {
    const args = ['risk', 'clear', 'sig_a', '--reason', 'a drill']
    const { code, stdout } = await mayfly(args, env)
    expect(code).toBe(0)
    expect(stdout).toContain('cleared sig_a: HIGH of agent=a, said by splunk\n')
    expect(stdout).toContain('what was ended stays ended')
    const order = { signals: ['sig_a'], reason: 'a drill' }
    expect(broker.seen.map(({ body }) => JSON.parse(body))).toEqual([order])
  })

  it('is not cleared without a reason', async () => {
    const { code, stderr } = await mayfly(['risk', 'clear', 'sig_a'], env)
    expect([code, broker.seen]).toEqual([2, []])
    expect(stderr).toContain('--reason')
  })
})

describe('a refusal', () => {
  it('exits 1 with the reason and code', async () => {
    const { code, stderr } = await mayflyProcess(['blocks', 'lift', 'block_a'], env)
    expect(code).toBe(1)
    expect(stderr).toContain('not you (403 forbidden)')
  })

  it('with --json prints the problem as it came', async () => {
    const { code, stdout } = await mayfly(['blocks', 'lift', 'block_a', '--json'], env)
    expect([code, JSON.parse(stdout)]).toEqual([1, problem(403, 'forbidden', 'not you')])
  })

  it('for want of a token says what to set, and never the token', async () => {
    const { code, stdout, stderr } = await mayfly(['signals', 'ls'], env)
    expect(code).toBe(1)
    expect(stderr).toContain('MAYFLY_TOKEN')
    expect(stdout + stderr).not.toContain('mfo_canary')
  })

  it.each(['mfo_a\nb', 'mfo_tökén', 'two words'])(
    'P2: of a token that is none (%j) says so without repeating it',
    async (token) => {
      const { code, stderr } = await mayfly(['leases', 'ls'], { ...env, MAYFLY_TOKEN: token })
      expect([code, broker.seen]).toEqual([2, []])
      expect(stderr).toContain('MAYFLY_TOKEN')
      expect(stderr).not.toContain(token.slice(-3))
    },
  )

  it.each(['127.0.0.1:8700', 'http://'])('of the address %s says what one is like', async (url) => {
    const { code, stderr } = await mayfly(['leases', 'ls'], { MAYFLY_URL: url })
    expect([code, stderr]).toEqual([2, expect.stringContaining('http://127.0.0.1:8700')])
  })

  it('by nobody at all names the address', async () => {
    const { code, stderr } = await mayfly(['leases', 'ls'], { MAYFLY_URL: 'http://127.0.0.1:2' })
    expect(code).toBe(1)
    expect(stderr).toContain('127.0.0.1:2')
  })

  it('of a reload that waits exits 1 and says how to confirm', async () => {
    const { code, stdout } = await mayfly(['reload'], env)
    expect(code).toBe(1)
    expect(stdout).toContain('mayfly reload --confirm abc')
  })
})

it.each([
  [['--version'], 0],
  [['--help'], 0],
  [['kill', '--help'], 0],
  [[], 2],
  [['nonsense'], 2],
  [['leases', 'ls', '--limit', 'many'], 2],
  [['leases', 'show'], 2],
])('mayfly %j exits %i', async (args, code) => {
  expect((await mayflyProcess(args)).code).toBe(code)
})

it('escapes what an agent wrote before it reaches the terminal', async () => {
  const task = {
    id: 'task_a',
    agent: 'a',
    tenant: 't',
    state: 'open',
    created_at: soon,
    deadline: soon,
    purpose: '\u001b]0;owned\u0007 \u202e',
  }
  const hostile = await brokerDouble({ 'GET /v1/tasks': { items: [task], next_cursor: null } })
  const human = await mayfly(['tasks', 'ls'], { MAYFLY_URL: hostile.url })
  const json = await mayfly(['tasks', 'ls', '--json'], { MAYFLY_URL: hostile.url })
  hostile.close()
  for (const { stdout } of [human, json]) {
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  }
  expect(human.stdout).toContain('\\u001b]0;owned')
  expect(JSON.parse(json.stdout).items[0].purpose).toBe(task.purpose)
})

describe('signal send', () => {
  const secret = `whsec_${Buffer.from('a secret of some length').toString('base64')}`
  const args = ['signal', 'send', '--source', 'splunk', '--agent', 'a', '--reason', 'odd']

  it('signs what the source’s secret verifies', async () => {
    const flags = ['--secret', 'env:S', '--level', 'HIGH', '--ttl', '10m']
    const { code } = await mayfly([...args, ...flags], { ...env, S: secret })
    expect(code).toBe(0)
    const { body = '', headers = {} } = broker.seen[0] ?? {}
    const verified = new Webhook(secret).verify(body, headers as Record<string, string>)
    expect(verified).toEqual({
      subject: { agent: 'a' },
      level: 'HIGH',
      reason: 'odd',
      ttl_seconds: 600,
    })
  })

  it('refused says what to check, and nothing of an operator’s token', async () => {
    const flags = ['signal', 'send', '--source', 'other', '--agent', 'a', '--reason', 'odd']
    const sent = await mayfly([...flags, '--secret', 'env:S'], { ...env, S: secret })
    expect(sent.code).toBe(1)
    expect(sent.stderr).toContain('check --source, --secret')
    expect(sent.stderr).not.toContain('MAYFLY_TOKEN')
  })

  it('P2: refuses a secret on the command line without repeating it', async () => {
    const { code, stdout, stderr } = await mayfly([...args, '--secret', secret], env)
    expect([code, broker.seen]).toEqual([2, []])
    expect(stdout + stderr).not.toContain(secret)
  })
})

describe('audit', () => {
  const events = chain(7)

  async function log(answered: readonly object[]) {
    return brokerDouble({
      'GET /v1/audit/head': { seq: events.length, hash: events.at(-1)?.hash, at: soon },
      'GET /v1/audit': ({ url }: { url: string }) => {
        const from = Number(new URL(url, 'http://x').searchParams.get('cursor') ?? 0)
        const next = from + 3 < answered.length ? String(from + 3) : null
        return { body: { items: answered.slice(from, from + 3), next_cursor: next } }
      },
    })
  }

  async function verify(answered: readonly object[], ...args: string[]) {
    const server = await log(answered)
    const outcome = await mayfly(['audit', 'verify', ...args], { MAYFLY_URL: server.url })
    server.close()
    return outcome
  }

  it('P12: verify recomputes every page of an intact log', async () => {
    const { code, stdout } = await verify(events)
    expect([code, stdout]).toEqual([0, expect.stringContaining('intact: 7 events')])
  })

  it('P12: verify finds a changed event, a missing one and a missing end', async () => {
    const changed = events.map((e) => (e.seq === 4 ? { ...e, actor: 'operator:nobody' } : e))
    expect((await verify(changed)).stdout).toContain('event 4: was changed')
    expect((await verify(events.filter((e) => e.seq !== 4))).code).toBe(1)
    const short = await verify(events.slice(0, 5))
    expect([short.code, short.stdout]).toEqual([1, expect.stringContaining('its head is event 7')])
  })

  it('P12: verify with an anchor finds a history rewritten as a whole', async () => {
    const anchor = join(dir, 'anchor.jsonl')
    const { seq, hash, at } = events[2] ?? {}
    writeFileSync(anchor, `${JSON.stringify({ seq, hash, at })}\n`)
    expect((await verify(events, '--anchor', anchor)).code).toBe(0)
    expect((await verify(events, '--anchor', `file:${anchor}`)).code).toBe(0)
    expect((await verify(chain(7, 'other'), '--anchor', anchor)).code).toBe(1)
    expect((await verify(chain(7, 'other'))).code).toBe(0)
  })

  it('export writes a file for its owner only, which verify reads without a broker', async () => {
    const server = await log(events)
    const out = join(dir, 'export.jsonl')
    expect((await mayfly(['audit', 'export', '--out', out], { MAYFLY_URL: server.url })).code).toBe(
      0,
    )
    server.close()
    const { code, stdout } = await mayfly(['audit', 'verify', '--file', out, '--json'])
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { ok: true, events: 7 }])
  })

  it('an export that is none is refused with what is wrong, never called intact', async () => {
    const file = join(dir, 'none.jsonl')
    const verdict = async () => await mayfly(['audit', 'verify', '--file', file])
    expect(await verdict()).toMatchObject({ code: 2, stdout: '' })
    for (const [text, why] of [
      ['', 'holds no events'],
      ['\n', 'holds no events'],
      [`${JSON.stringify(events[0])}\n{}`, 'line 2 is not an exported event'],
      ['null', 'line 1 is not an exported event'],
      ['{"seq":1,', 'line 1 is not an exported event'],
    ] as const) {
      writeFileSync(file, text)
      const { code, stdout, stderr } = await verdict()
      expect([code, stdout, stderr], text).toEqual([2, '', expect.stringContaining(why)])
    }
  })

  it('an export overwrites nothing', async () => {
    const server = await log(events)
    const out = join(dir, 'kept.jsonl')
    writeFileSync(out, 'kept')
    const outcome = await mayfly(['audit', 'export', '--out', out], { MAYFLY_URL: server.url })
    server.close()
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('name a new file') })
    expect(readFileSync(out, 'utf8')).toBe('kept')
  })
})

function chain(length: number, word = 'x') {
  let prev = '0'.repeat(64)
  return Array.from({ length }, (_, at) => {
    const event = { seq: at + 1, at: soon, type: 'task.opened', actor: 'mayfly', data: { word } }
    const hash = hashEvent(prev, event)
    const linked = { ...event, prev, hash }
    prev = hash
    return linked
  })
}
