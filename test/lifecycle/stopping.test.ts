import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startLifecycle } from '../../src/lifecycle/lifecycle.ts'
import type { Finding } from '../../src/provider.ts'
import { testBroker } from '../fixture/broker.ts'

it('says nothing of a provider whose check was under way when it stopped', async () => {
  // The disk that is checked must exist.
  const store = { url: `sqlite:${join(tmpdir(), 'mayfly.db')}` }
  const house = await testBroker({ change: (document) => Object.assign(document, { store }) })
  onTestFinished(house.close)
  const check = Promise.withResolvers<Finding[]>()
  const asked = Promise.withResolvers<void>()
  const instance = house.broker.world().providers.get('upstream')
  if (!instance) throw new Error('the house has no upstream')
  instance.provider.check = () => {
    asked.resolve()
    return check.promise
  }

  const lifecycle = await startLifecycle(house.broker)
  await asked.promise
  await lifecycle.stop(1_000)
  check.resolve([{ level: 'blocking', what: 'the connection was closed', fix: 'none' }])
  await new Promise(setImmediate)
  expect(house.logged.filter(({ level }) => level === 'error')).toEqual([])
})
