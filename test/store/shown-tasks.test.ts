import { expect, it } from 'vitest'
import type { TaskRow } from '../../src/store/sqlite/rows.ts'
import { shownTasks } from '../../src/store/sqlite/shown-tasks.ts'

/** A row as the store reads it; a test changes the one field it is about. */
function row(change: Partial<TaskRow> = {}): TaskRow {
  const texts = { purpose: 'p', intentJson: '[]', claimsJson: '{}', labelsJson: '{}' }
  const chainJson = '[]'
  const touchedJson = '{"zones":[],"datasets":[],"impact":[]}'
  // Only what is looked at here; the rest of a row changes nothing.
  return { id: 'a', state: 'open', ...texts, chainJson, touchedJson, ...change } as TaskRow
}

it('keeps open tasks until they change, and ended ones never', () => {
  let changed: (id?: unknown) => void = () => {}
  const shown = shownTasks((_table, _key, forget) => {
    changed = forget
  })
  shown.keep(row())
  expect(shown.row('a')).toEqual(row())
  expect(shown.task('a')).toMatchObject({ id: 'a', purpose: 'p' })
  changed('a')
  expect([shown.row('a'), shown.task('a')]).toEqual([undefined, undefined])
  shown.keep(row({ state: 'ended' }))
  expect(shown.row('a')).toBeUndefined()
  shown.keep(row())
  changed()
  expect(shown.row('a')).toBeUndefined()
})

it('P13: however large its tasks are, an agent cannot fill the memory with them', () => {
  const shown = shownTasks(() => {})
  const purpose = 'x'.repeat(60_000)
  for (let n = 0; n < 5_000; n += 1) shown.keep(row({ id: `${n}`, purpose }))
  const kept = Array.from({ length: 5_000 }, (_, n) => shown.row(`${n}`)).filter(Boolean)
  expect(kept.length).toBeLessThan(300)
  expect(shown.row('4999')).toBeDefined()
})
