import { describe, expect, it } from 'vitest'
import { datasetsOf, impactsOf } from '../../src/intent/impact.ts'
import { STAR } from './star-vocabulary.ts'

const item = (actions: string[], locations: string[], type = 'star') => ({
  type,
  actions,
  locations,
})

describe('the impact of an intent', () => {
  it('is what any action on any location of any item can do', () => {
    expect(impactsOf([item(['get'], ['a'])], STAR)).toEqual(new Set())
    expect(impactsOf([item(['get', 'delete'], ['a'])], STAR)).toEqual(
      new Set(['destructive-write']),
    )
    expect(impactsOf([item(['get'], ['a', '*']), item(['delete'], ['a'])], STAR)).toEqual(
      new Set(['bulk-read', 'destructive-write']),
    )
  })

  it('P3: is everything for an item the vocabulary does not understand', () => {
    expect(impactsOf([item(['get'], ['a'], 'other')], STAR).size).toBe(5)
  })
})

describe('the datasets of an intent', () => {
  const datasets = [
    { name: 'pii', locations: ['customers/*', 'users/1'] },
    { name: 'logs', locations: ['logs/*'] },
  ]
  const touched = (...locations: string[]) =>
    [...datasetsOf([item(['get'], locations)], datasets, STAR)].toSorted()

  it('are those with a location the intent can reach, from either side', () => {
    expect(touched('tickets/1')).toEqual([])
    expect(touched('customers/7')).toEqual(['pii'])
    expect(touched('us*')).toEqual(['pii'])
    expect(touched('tickets/1', 'logs/x')).toEqual(['logs'])
    expect(touched('*')).toEqual(['logs', 'pii'])
  })

  it('P3: are all of them for an item the vocabulary does not understand', () => {
    expect(datasetsOf([item(['get'], ['a'], 'other')], datasets, STAR).size).toBe(2)
  })
})
