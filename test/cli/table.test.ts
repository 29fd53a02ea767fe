import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { escapeHidden, printableJson } from '../../src/cli/escape.ts'
import { tableLines, widthOf } from '../../src/cli/table.ts'
import { when } from '../../src/cli/when.ts'

interface Row {
  id: string
  agent: string
  reason: string
}

const columns = [
  { title: 'LEASE', cell: (row: Row) => row.id, keep: true },
  { title: 'AGENT', cell: (row: Row) => row.agent },
  { title: 'REASON', cell: (row: Row) => row.reason },
] as const

const row: Row = {
  id: 'lease_abcdefghijklmnopqrst',
  agent: 'a-rather-long-agent-name',
  reason: 'somebody saw it read what it should not have read',
}

describe('a table', () => {
  it('is as wide as its cells where nothing limits it', () => {
    expect(tableLines(columns, [row], undefined)[1]).toBe(`${row.id}  ${row.agent}  ${row.reason}`)
  })

  it('cuts the widest columns first and ids never before them', () => {
    for (const width of [60, 80, 100]) {
      const [, line = ''] = tableLines(columns, [row], width)
      expect(widthOf(line)).toBeLessThanOrEqual(width)
      expect(line).toContain(row.id)
      expect(line).toContain('…')
    }
  })

  it('cuts no time before it has cut all that is longer', () => {
    const timed = [...columns, { title: 'UNTIL', cell: () => 'in 59m30s' }] as const
    for (const width of [60, 55, 52]) {
      const [, line = ''] = tableLines(timed, [row], width)
      expect(line).toContain('in 59m30s')
      expect(line).toContain(row.id)
    }
  })

  it('leaves out spare columns before it cuts what must be read', () => {
    const spare = [
      ...columns,
      { title: 'SPARE', cell: () => 'something else', spare: true },
    ] as const
    expect(tableLines(spare, [row], 200)[0]).toBe(tableLines(spare, [row], undefined)[0])
    const [title, line] = tableLines(spare, [row], 70)
    expect(title).not.toContain('SPARE')
    expect(line).toContain(row.id)
  })

  it('never has a line wider than the terminal, whatever the cells hold', () => {
    const cell = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant('漢字🦟'))
    const rows = fc.array(fc.record({ id: cell, agent: cell, reason: cell }), { maxLength: 5 })
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 90 }), (some, width) => {
        const lines = tableLines(columns, some, width)
        expect(lines).toHaveLength(some.length + 1)
        for (const line of lines) {
          expect(widthOf(line)).toBeLessThanOrEqual(width)
          expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u)
        }
      }),
    )
  })

  it('shows a missing value as a dash', () => {
    const line = tableLines([{ title: 'X', cell: () => undefined }], [row], undefined)[1]
    expect(line).toBe('-')
  })
})

describe('foreign text', () => {
  it('cannot steer the terminal or hide in it', () => {
    expect(escapeHidden('\u001b[2Jgone\r\n')).toBe('\\u001b[2Jgone\\u000d\\u000a')
    expect(escapeHidden('\u202egnp.exe')).toBe('\\u202egnp.exe')
    expect(escapeHidden('\u009b1m \u200b')).toBe('\\u009b1m \\u200b')
  })

  it('stays what it was in JSON, and is as safe', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const printed = printableJson({ text })
        expect(JSON.parse(printed)).toEqual({ text })
        expect(printed.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
      }),
    )
  })
})

describe('a time', () => {
  const now = Date.parse('2026-06-01T12:00:00Z')

  it.each([
    ['2026-06-01T12:04:12Z', 'in 4m12s'],
    ['2026-06-01T10:29:30Z', '1h30m ago'],
    ['2026-06-03T15:20:00Z', 'in 2d3h'],
    ['2026-06-01T12:00:00Z', 'now'],
    ['not a time', 'not a time'],
  ])('%s is %s', (time, text) => expect(when(time, now)).toBe(text))
})
