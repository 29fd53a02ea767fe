import { expect, it } from 'vitest'
import { planReload } from '../../src/broker/reload.ts'
import type { Doc } from '../fixture/broker.ts'
import { testApi } from '../fixture/http.ts'

const CHANGES: readonly [string, (doc: Doc) => void][] = [
  [
    'comes from another issuer now',
    (doc) => {
      const [corp] = doc.issuers
      doc.issuers.push({ ...corp, name: 'new', issuer: 'https://new.example', jwks_uri: undefined })
      doc.agents[0].match.issuer = 'new'
    },
  ],
  [
    'must show a stronger proof now',
    (doc) => {
      doc.agents[0].proof = 'key'
    },
  ],
]

it.each(CHANGES)('P7: a reload ends the task of an agent that %s', async (_, change) => {
  const api = await testApi()
  const task = await api.open()
  expect((await planReload(api.broker, api.broker.world())).tasks).toEqual([])
  api.reconfigure(change)
  const { tasks } = await planReload(api.broker, api.broker.world())
  expect(tasks.map(({ id }) => id)).toEqual([task.id])
})
