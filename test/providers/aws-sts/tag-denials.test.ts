import { describe, expect, it } from 'vitest'
import { documentText } from '../../../providers/aws-sts/deny-documents.ts'
import {
  refusesByTags,
  type TagDenial,
  tagDenialsFor,
  tagDenialsIn,
} from '../../../providers/aws-sts/tag-denials.ts'
import type { GroupUse } from '../../../src/model/group-use.ts'
import type { EndOrder, MintOrder, Provider } from '../../../src/provider.ts'
import { type AwsBench, awsBench, ROLE } from './bench.ts'

const MINUTE = 60_000

describe('refusing many sessions of a role together', () => {
  it('P8: refuses those of one agent and lets every other go on, also what it gets afterwards', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const doomed = await minted(bench, provider, Array(30).fill({}))
    const [spared] = await minted(bench, provider, [{ agent: 'reader' }])
    bench.pass(MINUTE)
    const outcomes = await end(bench, provider, { orders: doomed, use: inUse(bench, [spared]) })
    expect(outcomes.every((one) => one.ok && one.sharesPlace)).toBe(true)
    expect(bench.documents()['mayfly-acme-0-e1']).toEqual([])
    expect(await reads(bench, doomed)).toEqual(['AccessDenied'])
    const later = await minted(bench, provider, [{}])
    expect(await reads(bench, [...later, spared])).toEqual(['ok'])
  })

  it('P4: reaches nothing that is in use, whoever was killed: single entries do', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const [kept] = await minted(bench, provider, [{}])
    const doomed = await minted(bench, provider, Array(12).fill({}))
    bench.pass(MINUTE)
    const use = inUse(bench, [kept], bench.ours + Date.now() - MINUTE)
    await end(bench, provider, { orders: doomed, use })
    expect(bench.documents()['mayfly-acme-0-e1']).toHaveLength(12)
    expect(await reads(bench, [kept])).toEqual(['ok'])
    expect(await reads(bench, doomed)).toEqual(['AccessDenied'])
  })

  it('P4: is not used on a role where another installation ends leases, too', async () => {
    const theirs = documentText({ names: ['mf-aaaaaaaaaaaaaaaaaaaa'] })
    await using bench = await awsBench({ inline: { 'mayfly-other-0-e1': theirs } })
    const provider = bench.provider()
    const doomed = await minted(bench, provider, Array(12).fill({}))
    bench.pass(MINUTE)
    await end(bench, provider, { orders: doomed, use: inUse(bench, []) })
    expect(bench.documents()['mayfly-acme-0-e1']).toHaveLength(12)
  })

  it('P6: names apart whatever was issued only now, may still land or nobody knows of', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const old = await minted(bench, provider, Array(12).fill({}))
    bench.pass(MINUTE)
    const [fresh, landing, lost] = await minted(bench, provider, [{}, {}, {}])
    bench.pass(3_000)
    const unknown = { ...lost.end, handle: null, nativeExpiresAt: null }
    const late = old[0].end.latestPossibleExpiry + MINUTE
    const renewal = { ...old[0].end, latestPossibleExpiry: late }
    const orders = [renewal, ...old.slice(1).map(({ end }) => end), fresh.end, landing.end, unknown]
    const signal = AbortSignal.timeout(3_000)
    const use = { ...inUse(bench, []), renewing: [old[1].end.lease] }
    await provider.revoke?.({ group: bench.roleArn, orders, stillRefused: [], use, signal })
    const named = [renewal, old[1].end, fresh.end, landing.end, unknown]
    expect(bench.documents()['mayfly-acme-0-e1']?.sort()).toEqual(
      named.map(({ upstreamName }) => upstreamName).sort(),
    )
    expect(await reads(bench, [...old, fresh, landing, lost])).toEqual(['AccessDenied'])
  })

  it('P6: a later epoch takes the statement over and keeps it while what it refuses may live', async () => {
    await using bench = await awsBench()
    const first = bench.provider()
    const doomed = await minted(bench, first, Array(12).fill({}))
    bench.pass(MINUTE)
    await end(bench, first, { orders: doomed, use: inUse(bench, []) })
    const second = bench.provider({ epoch: 2 })
    const another = await minted(bench, second, [{ agent: 'reader' }])
    const ended = await end(bench, second, {
      orders: another,
      stillRefused: doomed,
      use: inUse(bench, []),
    })
    expect(ended).toMatchObject([{ ok: true }])
    bench.pass(MINUTE)
    await end(bench, second, { orders: another, stillRefused: doomed })
    bench.pass(6 * MINUTE)
    await end(bench, second, { orders: another, stillRefused: doomed })
    await end(bench, second, { orders: another, stillRefused: doomed })
    const documents = bench.sandbox.rolePolicies(ROLE)
    expect(Object.keys(documents).filter((name) => name.startsWith('mayfly-'))).toEqual([
      'mayfly-acme-0-e2',
    ])
    expect(documents['mayfly-acme-0-e2']).toContain('aws:TokenIssueTime')
    expect(bench.documents()['mayfly-acme-0-e2']).toEqual([another[0].end.upstreamName])
    expect(await reads(bench, doomed)).toEqual(['AccessDenied'])
  })

  it('P6: a document that somebody deleted is whole again after the next end, and it is said', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const doomed = await minted(bench, provider, Array(12).fill({}))
    bench.pass(MINUTE)
    await end(bench, provider, { orders: doomed, use: inUse(bench, []) })
    const nothing = { Version: '2012-10-17', Statement: [] as unknown[] }
    nothing.Statement = [{ Effect: 'Deny', Action: 's3:PutObject', Resource: '*' }]
    bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-0-e1', nothing)
    expect(await reads(bench, doomed)).toEqual(['ok'])
    expect(await provider.inventory?.()).toEqual([])
    bench.pass(6 * MINUTE)
    await end(bench, provider, { orders: await minted(bench, provider, [{ agent: 'reader' }]) })
    expect(await reads(bench, doomed)).toEqual(['AccessDenied'])
    expect(bench.logged).toContain('somebody changed a deny document; it is written again')
    const many = (await provider.inventory?.())?.filter(({ refuses }) => refuses)
    expect(doomed.every((one) => many?.some((item) => item.refuses?.(one.end)))).toBe(true)
  })
})

describe('reading such statements back', () => {
  const denial: TagDenial = {
    tags: { agent: 'a b', tenant: 't' },
    before: Date.parse('2026-01-01T00:00:00Z'),
    until: 0,
  }
  const text = documentText({ names: [], tags: [denial] })

  it('knows its own, however it was reformatted', () => {
    const found = [{ tags: denial.tags, before: denial.before }]
    expect(tagDenialsIn(text)).toEqual(found)
    const document = JSON.parse(text)
    document.Statement[0].Action = ['*']
    expect(tagDenialsIn(JSON.stringify(document, null, 2))).toEqual(found)
  })

  it('P6: takes nothing for it that refuses less', () => {
    for (const change of [
      { Effect: 'Allow' },
      { Action: 's3:*' },
      { Action: ['s3:GetObject', 's3:PutObject'] },
      { Resource: 'arn:aws:s3:::b' },
      { Sid: 'x', NotAction: 'iam:*', Action: undefined },
    ]) {
      const document = JSON.parse(text)
      Object.assign(document.Statement[0], change)
      expect(tagDenialsIn(JSON.stringify(document)), JSON.stringify(change)).toEqual([])
    }
    const narrowed = JSON.parse(text)
    narrowed.Statement[0].Condition.StringEquals['aws:SourceIdentity'] = 'mf-x'
    expect(tagDenialsIn(JSON.stringify(narrowed))).toEqual([])
    expect(tagDenialsIn('no json')).toEqual([])
  })

  it('writes nothing before AWS would have issued ten', () => {
    expect(tagDenialsFor([], { use: { asOf: 0, holders: [], renewing: [] }, skew: 0 })).toEqual([])
    const unissued = { handle: {}, nativeExpiresAt: 1, latestPossibleExpiry: 1 }
    const lease = { task: 'task_x', agent: 'a b', tenant: 't', ...unissued } as const
    expect(refusesByTags(denial, lease)).toBe(false)
  })
})

interface Lent {
  readonly end: EndOrder
  readonly minted: Awaited<ReturnType<Provider['mint']>>
}

/** At least one of them is there: as many as changes. */
async function minted(bench: AwsBench, provider: Provider, changes: readonly Partial<MintOrder>[]) {
  const lent = await Promise.all(
    changes.map(async (change): Promise<Lent> => {
      const order = bench.order(change)
      const answer = await provider.mint(order)
      return { minted: answer, end: { ...bench.endOf(order, answer), handle: answer.handle } }
    }),
  )
  return lent as [Lent, Lent, Lent, ...Lent[]] // the tests take no more than they asked for
}

function end(
  bench: AwsBench,
  provider: Provider,
  given: { orders: readonly Lent[]; stillRefused?: readonly Lent[]; use?: GroupUse },
) {
  const { orders, stillRefused = [], use } = given
  const batch = {
    group: bench.roleArn,
    orders: orders.map((one) => one.end),
    stillRefused: stillRefused.map((one) => one.end),
    signal: AbortSignal.timeout(3_000),
    ...(use ? { use } : {}),
  }
  return provider.revoke?.(batch) ?? Promise.reject(new Error('it cannot end leases'))
}

function inUse(bench: AwsBench, kept: readonly Lent[], since = Date.now() + bench.ours): GroupUse {
  const holders = kept.map(({ end: { tenant, agent, task } }) => ({ tenant, agent, task, since }))
  return { asOf: Date.now() + bench.ours, holders, renewing: [] }
}

/** What reading answered, each answer once. */
async function reads(bench: AwsBench, lent: readonly Lent[]): Promise<string[]> {
  const answers = await Promise.all(lent.map((one) => bench.read(one.minted)))
  return [...new Set(answers)]
}
