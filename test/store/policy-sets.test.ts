import { expect, it } from 'vitest'
import { shed } from './fixture.ts'

const policies = [{ id: 'a', file: 'a.cedar', text: 'permit (…);' }]

it('the text of policies outlives a restart, and the oldest sets make room', async () => {
  const one = shed()
  for (let n = 0; n < 52; n += 1) {
    await one.store.decisions.keepPolicies({ hash: `set-${n}`, policies, now: n })
  }
  await one.store.decisions.keepPolicies({ hash: 'set-2', policies, now: 100 })
  await one.store.decisions.keepPolicies({ hash: 'set-52', policies, now: 101 })
  await one.restart()
  const kept = async (hash: string) => await one.store.decisions.policiesOf(hash)
  expect(await kept('set-52')).toEqual(policies)
  expect(await kept('set-2')).toEqual(policies)
  for (const gone of ['set-0', 'set-1', 'set-3']) expect(await kept(gone)).toBeUndefined()
  expect(await kept('set-4')).toEqual(policies)
})
