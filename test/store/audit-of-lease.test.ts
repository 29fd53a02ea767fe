import { expect, it } from 'vitest'
import { shed } from './fixture.ts'

it('P12: finds every event of one lease in order, also one that names no task, and no other', async () => {
  const house = shed()
  const task = await house.openTask()
  const lease = await house.active(task)
  const other = await house.active(task)
  await house.end(lease)
  await house.store.audit.append([
    { type: 'ending.retried', actor: 'operator:on-call', lease: lease.id, data: {} },
    { type: 'ending.retried', actor: 'operator:on-call', lease: other.id, data: {} },
  ])

  const events = await house.store.audit.read(0, 100, { lease: lease.id })

  expect(new Set(events.map((event) => event.lease))).toEqual(new Set([lease.id]))
  expect(events.map(({ seq }) => seq)).toEqual(
    events.map(({ seq }) => seq).toSorted((a, b) => a - b),
  )
  const types = events.map(({ type }) => type)
  expect(types).toEqual(
    expect.arrayContaining(['lease.reserved', 'lease.activated', 'ending.retried']),
  )
  const first = events[0]?.seq ?? 0
  expect(await house.store.audit.read(first, 1, { lease: lease.id })).toEqual([events[1]])
})
