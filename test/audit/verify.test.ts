import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GENESIS, hashEvent } from '../../src/audit/chain.ts'
import {
  type AnchorLine,
  type ChainedEvent,
  ChainVerifier,
  parseAnchor,
} from '../../src/audit/verify.ts'

function chainOf(count: number, salt = ''): ChainedEvent[] {
  const events: ChainedEvent[] = []
  let prev = GENESIS
  for (let seq = 1; seq <= count; seq += 1) {
    const event = {
      seq,
      at: new Date(1_800_000_000_000 + seq).toISOString(),
      type: 'lease.reserved',
      actor: 'agent:summariser',
      tenant: 'support',
      lease: `lease_${seq}`,
      data: { upstream_name: `mf-${seq}${salt}`, nested: { b: 1, a: [seq] } },
    }
    const hash = hashEvent(prev, event)
    events.push({ ...event, prev, hash })
    prev = hash
  }
  return events
}

function verify(events: readonly ChainedEvent[], anchor?: readonly AnchorLine[]) {
  const verifier = new ChainVerifier(anchor)
  for (const event of events) verifier.add(event)
  return verifier.result()
}

function anchorOf(event: ChainedEvent | undefined): AnchorLine {
  if (!event) throw new Error('no such event')
  return { seq: event.seq, hash: event.hash, at: event.at }
}

const events = chainOf(20)
const anchors = [anchorOf(events[9]), anchorOf(events[19])]

describe('P12: verifying a chain', () => {
  it('finds nothing wrong with what was written, and says what it did not check', () => {
    expect(verify(events)).toMatchObject({ ok: true, events: 20, head: events[19]?.hash })
    expect(verify(events).meaning).toContain('a rewritten history is not')
    expect(verify([])).toMatchObject({ ok: true, events: 0, head: GENESIS })
  })

  it('finds all of an anchor in it, and says that this shows more', () => {
    expect(verify(events, anchors)).toMatchObject({ ok: true, anchored: 2 })
    expect(verify(events, anchors).meaning).toContain('found too')
  })

  it('does not depend on the order of keys', () => {
    const reversed = events.map((event) => {
      const data = Object.fromEntries(Object.entries(event.data).toReversed())
      const keys = Object.entries({ ...event, data }).toReversed()
      return Object.fromEntries(keys) as unknown as ChainedEvent // the same keys, turned round
    })
    expect(verify(reversed).ok).toBe(true)
  })

  it.each([
    ['a changed event', events.map((e) => (e.seq === 7 ? { ...e, actor: 'agent:other' } : e)), 7],
    ['changed data', events.map((e) => (e.seq === 7 ? { ...e, data: { x: 1 } } : e)), 7],
    ['a tenant added', events.map((e) => (e.seq === 7 ? { ...e, task: 'task_1' } : e)), 7],
    ['a removed event', events.filter((e) => e.seq !== 7), 8],
    ['a removed first event', events.slice(1), 2],
    [
      'swapped events',
      events.toSpliced(6, 2, events[7] as ChainedEvent, events[6] as ChainedEvent),
      8,
    ],
    ['a repeated event', events.toSpliced(6, 0, events[6] as ChainedEvent), 7],
    [
      'a changed hash at the end',
      events.map((e) => (e.seq === 20 ? { ...e, hash: GENESIS } : e)),
      20,
    ],
  ])('finds %s', (_what, tampered, where) => {
    const { ok, problems } = verify(tampered)
    expect(ok).toBe(false)
    expect(problems[0]).toContain(`event ${where}:`)
  })

  it('finds a truncated tail only with an anchor', () => {
    const cut = events.slice(0, 15)
    expect(verify(cut).ok).toBe(true)
    expect(verify(cut, anchors).problems).toEqual(['event 20: anchored, but not in the chain'])
  })

  it('finds a rewritten history only with an anchor', () => {
    const rewritten = chainOf(25, '-forged')
    expect(verify(rewritten).ok).toBe(true)
    expect(verify(rewritten, anchors)).toMatchObject({ ok: false, anchored: 0 })
  })

  it('finds it also when the forger has anchored the forged history after the true one', () => {
    const rewritten = chainOf(25, '-forged')
    const both = [...anchors, anchorOf(rewritten[9]), anchorOf(rewritten[19])]
    const { ok, problems } = verify(rewritten, both)
    expect(ok).toBe(false)
    expect(problems).toContain('event 10: the anchor holds another hash for it')
    expect(verify(events, both).ok).toBe(false)
  })

  it('takes an anchored head that was written twice for one', () => {
    expect(verify(events, [...anchors, ...anchors])).toMatchObject({ ok: true, anchored: 2 })
  })

  it('finds any edit that changes what an export says', () => {
    const lines = events.map((event) => JSON.stringify(event))
    const edits = fc.record({
      line: fc.nat(lines.length - 1),
      at: fc.nat(10_000),
      with: fc.integer({ min: 32, max: 126 }),
    })
    fc.assert(
      fc.property(edits, ({ line, at, with: code }) => {
        const text = lines[line] ?? ''
        const where = at % text.length
        const edited = text.slice(0, where) + String.fromCharCode(code) + text.slice(where + 1)
        let event: ChainedEvent
        try {
          event = JSON.parse(edited)
        } catch {
          return
        }
        if (JSON.stringify(event) === text) return
        const tampered = events.toSpliced(line, 1, event)
        expect(verify(tampered).ok).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('an anchor', () => {
  it('is read line by line, and knows what is no head', () => {
    const text = anchors.map((line) => `${JSON.stringify(line)}\n`).join('')
    expect(parseAnchor(text)).toEqual(anchors)
    expect(parseAnchor(`\n${text}\n`)).toEqual(anchors)
    expect(() => parseAnchor(`${text}{"seq":1}\n`)).toThrow('anchor line 3 is not')
    expect(() => parseAnchor(`${text}{"seq":`)).toThrow('anchor line 3 is not')
  })
})
