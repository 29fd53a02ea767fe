import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { documentText } from '../../../providers/aws-sts/deny-documents.ts'
import { newId, upstreamName } from '../../../src/ids.ts'
import type { EndOrder } from '../../../src/provider.ts'
import { idSource } from '../../fixture/ids.ts'
import { writerOf } from '../../fixture/writer.ts'
import { type AwsBench, awsBench, ROLE } from './bench.ts'

const MINUTE = 60_000
const DOCUMENT = 'mayfly-acme-0-e1'

describe('ending leases on one role', () => {
  it('P6: refuses every generation of the ended leases and leaves the others alone', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const pick = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.infiniteStream(fc.boolean()))
    await fc.assert(
      fc.asyncProperty(pick, async ([count, ended]) => {
        const leases = await Promise.all(
          Array.from({ length: count }, async () => {
            const order = bench.order()
            const first = await provider.mint(order)
            const second = await provider.mint({ ...order, generation: 2 })
            return { order, generations: [first, second], ended: ended.next().value === true }
          }),
        )
        const ending = leases.filter((lease) => lease.ended)
        if (ending.length > 0) {
          await bench.end(
            provider,
            ending.map(({ order, generations }) => bench.endOf(order, generations[1])),
          )
        }
        for (const lease of leases) {
          for (const minted of lease.generations) {
            expect(await bench.read(minted)).toBe(lease.ended ? 'AccessDenied' : 'ok')
          }
        }
      }),
      { numRuns: 6 },
    )
    await provider.close()
  })

  it('P6: says enforced, with exposure until AWS’s own expiry', async () => {
    await using bench = await awsBench({ propagationMs: 60_000 })
    const provider = bench.provider()
    const order = bench.order()
    const minted = await provider.mint(order)
    const [outcome] = await bench.end(provider, [bench.endOf(order, minted)])
    expect(outcome).toEqual({
      lease: order.lease,
      ok: true,
      containment: 'enforced',
      exposedUntil: minted.nativeExpiresAt,
    })
    expect(await bench.read(minted)).toBe('ok')
    bench.pass(60_000)
    expect(await bench.read(minted)).toBe('AccessDenied')
  })

  it('P6: counts a renewal whose answer never came into the exposure', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const order = bench.order()
    const end = bench.endOf(order, await provider.mint(order))
    const latestPossibleExpiry = end.latestPossibleExpiry + 10 * MINUTE
    const [outcome] = await bench.end(provider, [{ ...end, latestPossibleExpiry }])
    expect(outcome).toMatchObject({ ok: true, exposedUntil: latestPossibleExpiry })
  })

  it('P6: claims nothing of a role in another account, whatever is called the same here', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const order = bench.order()
    for (const name of [ROLE, 'of-nobody']) {
      const group = `arn:aws:iam::999900001111:role/${name}`
      const end = { ...bench.endOf(order), group, target: { role_arn: group } }
      const signal = AbortSignal.timeout(5_000)
      const refused = provider.revoke?.({ group, orders: [end], stillRefused: [], signal })
      await expect(refused).rejects.toMatchObject({ outcome: 'refused' })
    }
    expect(bench.documents()).toEqual({})
  })

  it('P6: a batch that does not know an earlier one does not drop it', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const [first, second] = [bench.order(), bench.order()]
    await Promise.all([
      bench.end(provider, [bench.endOf(first)], []),
      bench.end(provider, [bench.endOf(second)], []),
    ])
    expect(bench.documents()[DOCUMENT]?.sort()).toEqual(
      [first.upstreamName, second.upstreamName].sort(),
    )
  })

  it('P13: many ends at once are few writes', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const orders = Array.from({ length: 40 }, () => bench.order())
    await Promise.all(orders.map((order) => bench.end(provider, [bench.endOf(order)])))
    expect(bench.documents()[DOCUMENT]).toHaveLength(40)
    expect(bench.sandbox.calls('PutRolePolicy')).toBeLessThanOrEqual(3)
  })

  it('P6: the others that must stay refused are written with it after a restart', async () => {
    await using bench = await awsBench()
    const [known, ending] = [bench.order(), bench.order()]
    const provider = bench.provider()
    await bench.end(provider, [bench.endOf(ending)], [bench.endOf(known)])
    expect(bench.documents()[DOCUMENT]).toHaveLength(2)
  })

  it('P6: an entry stays until its lease is surely dead, then goes with the next write', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const order = bench.order()
    const end = bench.endOf(order, await provider.mint(order))
    await bench.end(provider, [end])
    bench.pass(end.latestPossibleExpiry - Date.now())
    await bench.end(provider, [bench.endOf(bench.order())])
    expect(bench.documents()[DOCUMENT]).toContain(order.upstreamName)
    bench.pass(6 * MINUTE)
    await bench.end(provider, [bench.endOf(bench.order())])
    expect(bench.documents()[DOCUMENT]).not.toContain(order.upstreamName)
  })

  it('P5: a jump of our clock alone does not revive an ended lease', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const order = bench.order()
    const minted = await provider.mint(order)
    await bench.end(provider, [bench.endOf(order, minted)])
    bench.ours += 24 * 60 * MINUTE
    await bench.end(provider, [bench.endOf(bench.order())])
    expect(await bench.read(minted)).toBe('AccessDenied')
  })

  it('P6: a lost answer is an unknown outcome, and trying again succeeds', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const order = bench.order()
    bench.sandbox.faults.plan('PutRolePolicy', { kind: 'lose' })
    await expect(bench.end(provider, [bench.endOf(order)])).rejects.toMatchObject({
      outcome: 'unknown',
    })
    bench.sandbox.faults.clear()
    const [outcome] = await bench.end(provider, [bench.endOf(order)])
    expect(outcome).toMatchObject({ ok: true, containment: 'enforced' })
    // It had arrived, so no other document is needed.
    expect(bench.documents()).toEqual({ [DOCUMENT]: [order.upstreamName] })
  })

  it('P6: a write that lands late does not undo a newer one', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const [first, second] = [bench.order(), bench.order()]
    const minted = await provider.mint(second)
    bench.sandbox.faults.plan('PutRolePolicy', { kind: 'late', ms: 400 }, 1)
    const signal = AbortSignal.timeout(100)
    const batch = { group: bench.roleArn, orders: [bench.endOf(first)], stillRefused: [], signal }
    await expect(provider.revoke?.(batch)).rejects.toMatchObject({ outcome: 'unknown' })
    await bench.end(provider, [bench.endOf(second, minted)])
    await sleep(500)
    expect(bench.documents()[DOCUMENT]).toEqual([first.upstreamName])
    expect(await bench.read(minted)).toBe('AccessDenied')
  })

  it('P6: an upstream that pretended does not shorten what may still happen', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const order = bench.order()
    const minted = await provider.mint(order)
    bench.sandbox.faults.plan('PutRolePolicy', { kind: 'lie' })
    const [outcome] = await bench.end(provider, [bench.endOf(order, minted)])
    expect(outcome).toMatchObject({ containment: 'enforced', exposedUntil: minted.nativeExpiresAt })
    bench.sandbox.faults.clear()
    await bench.end(provider, [bench.endOf(order, minted)])
    expect(await bench.read(minted)).toBe('AccessDenied')
  })

  it('P6: a role that is gone refuses by itself', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const order = { ...bench.endOf(bench.order()), group: `${bench.roleArn}-gone` }
    const signal = AbortSignal.timeout(3_000)
    const batch = { group: order.group, orders: [order], stillRefused: [], signal }
    expect(await provider.revoke?.(batch)).toMatchObject([{ ok: true, containment: 'enforced' }])
  })
})

describe('taking over the documents of an earlier epoch', () => {
  it('P6: keeps what it refuses, copies it, and removes it only once the copy has settled', async () => {
    await using bench = await awsBench()
    const order = bench.order()
    const earlier = bench.provider({ epoch: 1 })
    const minted = await earlier.mint(order)
    await bench.end(earlier, [bench.endOf(order, minted)])
    const later = bench.provider({ epoch: 2 })
    await bench.end(later, [bench.endOf(bench.order())])
    bench.pass(MINUTE)
    await bench.end(later, [bench.endOf(bench.order())])
    expect(bench.documents()['mayfly-acme-0-e2']).toContain(order.upstreamName)
    expect(bench.documents()['mayfly-acme-0-e1']).toEqual([order.upstreamName])
    bench.pass(6 * MINUTE)
    await bench.end(later, [bench.endOf(bench.order())])
    expect(bench.documents()['mayfly-acme-0-e1']).toBeUndefined()
    expect(await bench.read(minted)).toBe('AccessDenied')
  })

  it('P6: an unknown entry stays for as long as any session of the role could live', async () => {
    await using bench = await awsBench()
    const unknown = upstreamName(newId('lease', idSource))
    bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-0-e1', documentText({ names: [unknown] }))
    const provider = bench.provider({ epoch: 2 })
    await bench.end(provider, [bench.endOf(bench.order())])
    bench.pass(64 * MINUTE)
    await bench.end(provider, [bench.endOf(bench.order())])
    expect(Object.values(bench.documents()).flat()).toContain(unknown)
    bench.pass(2 * MINUTE)
    await bench.end(provider, [bench.endOf(bench.order())])
    expect(Object.values(bench.documents()).flat()).not.toContain(unknown)
  })

  it('P6: a write of a dead process that arrives late takes nothing away', async () => {
    await using bench = await awsBench()
    const order = bench.order()
    const first = bench.provider({ writer: writerOf({ process: 0 }) })
    const minted = await first.mint(order)
    await bench.end(first, [bench.endOf(order, minted)])
    await first.close()
    // The second one copies it, and would drop its copy again where kills need the room.
    const second = bench.provider({ writer: writerOf({ process: 1 }) })
    await bench.end(second, [bench.endOf(bench.order())])
    bench.pass(2 * MINUTE)
    await bench.end(second, [bench.endOf(bench.order())])
    expect(bench.documents()['mayfly-acme-1-e1']).toContain(order.upstreamName)
    await second.close()
    const third = bench.provider({ writer: writerOf({ process: 0 }) })
    await bench.end(third, [bench.endOf(bench.order())])
    bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-1-e1', documentText({ names: [] }))
    expect(await bench.read(minted)).toBe('AccessDenied')
  })

  it('P6: an end that IAM accepted counts, though nothing can be written here', async () => {
    await using bench = await awsBench()
    const first = bench.provider()
    const dead = bench.endOf(bench.order())
    await bench.end(first, [dead])
    await first.close()
    bench.pass(dead.latestPossibleExpiry - Date.now() + 6 * MINUTE)
    const latestExpiry = () => dead.latestPossibleExpiry
    const retire = () => {
      throw new Error('the disk is full')
    }
    const second = bench.provider({ writer: { ...writerOf({ process: 1 }), latestExpiry, retire } })
    const order = bench.order()
    const ended = await bench.end(second, [bench.endOf(order, await second.mint(order))])
    expect(ended).toMatchObject([{ ok: true, containment: 'enforced' }])
    expect(bench.logged).toContain('an earlier document stays')
  })

  it('P8: what the store knows to be dead takes no room, however it was found', async () => {
    await using bench = await awsBench()
    const first = bench.provider()
    const ending = bench.endOf(bench.order())
    await bench.end(first, [ending])
    await first.close()
    const latestExpiry = (name: string) =>
      name === ending.upstreamName ? ending.latestPossibleExpiry : undefined
    const writer = { ...writerOf({ process: 1 }), latestExpiry }
    const second = bench.provider({ writer })
    await bench.end(second, [bench.endOf(bench.order())])
    bench.pass(ending.latestPossibleExpiry - Date.now() + 6 * MINUTE)
    await bench.end(second, [bench.endOf(bench.order())])
    expect(Object.keys(bench.documents())).toEqual(['mayfly-acme-1-e1'])
  })

  it('P6: a restart of the same epoch does not lose what its document refuses', async () => {
    await using bench = await awsBench()
    const order = bench.order()
    const before = bench.provider()
    const minted = await before.mint(order)
    await bench.end(before, [bench.endOf(order, minted)])
    await bench.end(bench.provider(), [bench.endOf(bench.order())])
    expect(await bench.read(minted)).toBe('AccessDenied')
    expect(Object.keys(bench.documents())).toEqual(['mayfly-acme-0-e1', 'mayfly-acme-1-e1'])
  })

  it('P6: an earlier document that still grows is not removed', async () => {
    await using bench = await awsBench()
    const [old, young] = [0, 1].map(() => upstreamName(newId('lease', idSource)))
    bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-0-e1', documentText({ names: [old ?? ''] }))
    const provider = bench.provider({ epoch: 2 })
    await bench.end(provider, [bench.endOf(bench.order())])
    bench.pass(4 * MINUTE)
    await bench.end(provider, [bench.endOf(bench.order())])
    bench.sandbox.putRolePolicy(
      ROLE,
      'mayfly-acme-0-e1',
      documentText({ names: [old ?? '', young ?? ''] }),
    )
    bench.pass(2 * MINUTE)
    await bench.end(provider, [bench.endOf(bench.order())])
    expect(Object.values(bench.documents()).flat()).toContain(young)
  })

  it('leaves other installations and later epochs alone', async () => {
    await using bench = await awsBench()
    const foreign = documentText({ names: [upstreamName(newId('lease', idSource))] })
    bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-2-0-e1', foreign)
    bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-0-e9', foreign)
    const provider = bench.provider({ epoch: 2 })
    await bench.end(provider, [bench.endOf(bench.order())])
    bench.pass(26 * 60 * MINUTE)
    await bench.end(provider, [bench.endOf(bench.order())])
    expect(bench.sandbox.rolePolicies(ROLE)['mayfly-acme-2-0-e1']).toBe(foreign)
    expect(bench.sandbox.rolePolicies(ROLE)['mayfly-acme-0-e9']).toBe(foreign)
    expect(bench.logged.join()).toContain('later epoch')
  })

  it('P1: lists what the role’s documents name', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const order = bench.order()
    await bench.end(provider, [bench.endOf(order)])
    expect(await provider.inventory?.()).toEqual([
      {
        upstreamName: order.upstreamName,
        group: bench.roleArn,
        what: `refused on ${bench.roleArn} by ${DOCUMENT}`,
        works: false,
      },
    ])
  })
})

describe('the capacity of a role', () => {
  it('P17: says per lease when the document cannot hold more, and keeps what it holds', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const orders = Array.from({ length: 400 }, () => bench.order())
    const outcomes = await bench.end(
      provider,
      orders.map((order) => bench.endOf(order)),
    )
    const held = outcomes.filter((outcome) => outcome.ok)
    const full = outcomes.find((outcome) => !outcome.ok)
    expect(held.length).toBeGreaterThan(370)
    expect(full).toMatchObject({ error: expect.stringContaining('10240 characters') })
    expect(bench.documents()[DOCUMENT]).toHaveLength(held.length)
    expect(await secondTry(bench, provider)).toMatchObject([{ ok: false }])
    expect(bench.documents()[DOCUMENT]).toHaveLength(held.length)
  })

  it('P17: counts what other inline policies of the role take', async () => {
    await using bench = await awsBench({ inline: { large: largePolicy(9_500) } })
    const provider = bench.provider()
    const orders = Array.from({ length: 40 }, () => bench.order())
    const outcomes = await bench.end(
      provider,
      orders.map((order) => bench.endOf(order)),
    )
    const held = outcomes.filter((outcome) => outcome.ok).length
    expect(held).toBeGreaterThan(10)
    expect(held).toBeLessThan(30)
    expect(bench.documents()[DOCUMENT]).toHaveLength(held)
  })

  it('P6: when others filled the role meanwhile, what was ended before stays ended', async () => {
    await using bench = await awsBench()
    const provider = bench.provider()
    const [first, second] = [bench.order(), bench.order()]
    await bench.end(provider, [bench.endOf(first)])
    bench.sandbox.putRolePolicy(ROLE, 'grown', largePolicy(9_980))
    const again = await bench.end(provider, [bench.endOf(first), bench.endOf(second)])
    expect(again).toMatchObject([{ ok: true }, { ok: false }])
    expect(bench.documents()[DOCUMENT]).toEqual([first.upstreamName])
    bench.sandbox.putRolePolicy(ROLE, 'grown', largePolicy(200))
    expect(await bench.end(provider, [bench.endOf(second)])).toMatchObject([{ ok: true }])
    expect(bench.documents()[DOCUMENT]).toHaveLength(2)
  })

  it('P8: a broker that falls again and again leaves room for the next kill', async () => {
    await using bench = await awsBench()
    const refused = Array.from({ length: 60 }, () => bench.endOf(bench.order()))
    for (let start = 0; start < 20; start += 1) {
      const provider = bench.provider()
      const next = bench.endOf(bench.order())
      expect(await bench.end(provider, [next], refused)).toMatchObject([{ ok: true }])
      refused.push(next)
      await provider.close()
    }
    const listed = new Set(Object.values(bench.documents()).flat())
    expect(refused.every(({ upstreamName: name }) => listed.has(name))).toBe(true)
  })

  it('P8: a broker that falls all the time goes on in the documents of those long gone', async () => {
    await using bench = await awsBench()
    const refused: EndOrder[] = []
    for (let life = 0; life < 90; life += 1) {
      // Started every five seconds, and the number of whoever is gone for two minutes is free.
      const provider = bench.provider({ writer: writerOf({ process: life % 27 }) })
      const ending = [bench.endOf(bench.order()), bench.endOf(bench.order())]
      if (life % 8 === 0) {
        bench.sandbox.faults.plan('PutRolePolicy', { kind: 'lose' }, 1)
        await expect(bench.end(provider, ending, refused)).rejects.toThrow()
      }
      const outcomes = await bench.end(provider, ending, refused)
      expect(outcomes, `life ${life}`).toMatchObject([{ ok: true }, { ok: true }])
      refused.push(...ending)
      await provider.close()
      bench.pass(5_000)
    }
    const listed = Object.values(bench.documents()).flat()
    expect(new Set(listed)).toEqual(new Set(refused.map((order) => order.upstreamName)))
    expect(listed).toHaveLength(refused.length)
    expect(Object.keys(bench.documents()).length).toBeLessThanOrEqual(28)
  })

  it('P6: leaves an earlier document in place where both do not fit', async () => {
    await using bench = await awsBench()
    const names = Array.from({ length: 250 }, () => upstreamName(newId('lease', idSource)))
    bench.sandbox.putRolePolicy(ROLE, 'mayfly-acme-0-e1', documentText({ names: names }))
    const provider = bench.provider({ epoch: 2 })
    const order = bench.order()
    expect(await bench.end(provider, [bench.endOf(order)])).toMatchObject([{ ok: true }])
    expect(bench.documents()['mayfly-acme-0-e2']).toEqual([order.upstreamName])
    bench.pass(10 * MINUTE)
    await bench.end(provider, [bench.endOf(bench.order())])
    expect(bench.documents()['mayfly-acme-0-e1']).toHaveLength(250)
  })
})

async function secondTry(bench: AwsBench, provider: ReturnType<AwsBench['provider']>) {
  return bench.end(provider, [bench.endOf(bench.order())])
}

function largePolicy(characters: number): string {
  const policy = (sid: string) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Sid: sid, Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }],
    })
  return policy('x'.repeat(characters - policy('').length))
}
