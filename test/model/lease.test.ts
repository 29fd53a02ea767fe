import { expect, it } from 'vitest'
import { LANES, LEASE_TRANSITIONS, LIVE_STATES } from '../../src/model/lease.ts'

const arrows = Object.values(LEASE_TRANSITIONS).flatMap(({ from, to }) =>
  from.map((state) => `${state} → ${to}`),
)

it('makes exactly the moves that are drawn, and none twice', () => {
  expect(new Set(arrows).size).toBe(arrows.length)
  expect(arrows.toSorted()).toEqual([
    'active → ending',
    'ended → ending',
    'ending → ended',
    'failed → ending',
    'reserved → active',
    'reserved → ending',
    'reserved → failed',
  ])
})

it('P6: an end goes through ending, because only an upstream or time can finish it', () => {
  expect(arrows.filter((arrow) => arrow.endsWith('→ ended'))).toEqual(['ending → ended'])
})

it('nothing comes back to life: no arrow leads to reserved, and to active only from it', () => {
  expect(arrows.filter((arrow) => arrow.endsWith('→ reserved'))).toEqual([])
  expect(arrows.filter((arrow) => arrow.endsWith('→ active'))).toEqual(['reserved → active'])
})

it('is live wherever an upstream may still honour it', () => {
  expect([...LIVE_STATES].toSorted()).toEqual(['active', 'ending', 'reserved'])
})

it('P8: kills come first, clean-up last', () => {
  expect(LANES).toEqual(['kill', 'end', 'expiry', 'cleanup'])
})
