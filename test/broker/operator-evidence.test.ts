import { expect, it } from 'vitest'
import type { Doc } from '../fixture/broker.ts'
import { testApi } from '../fixture/http.ts'

const onCall = { name: 'on-call', roles: ['auditor'], tenants: ['*'] }
const byEvidence = { ...onCall, match: { issuer: 'corp', claims: { sub: 'on-call' } } }

it('P10: evidence that is good for one use is not an operator’s', async () => {
  const reusable = await testApi({ change: (doc: Doc) => doc.operators.push(byEvidence) })
  const once = await testApi({
    change: (doc: Doc) => {
      doc.operators.push(byEvidence)
      doc.issuers[0].one_time = true
    },
  })
  const claims = { sub: 'on-call', jti: 'used-by-whoever-copied-it' }
  const ask = async (api: typeof once) =>
    (await api.call('GET /v1/leases', { token: await api.evidence(claims) })).status
  expect(await ask(reusable)).toBe(200)
  expect(await ask(once)).toBe(401)
})
