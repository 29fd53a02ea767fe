import { expect, it, onTestFinished } from 'vitest'
import { issueCredential } from '../../src/broker/issue.ts'
import { openTask } from '../../src/broker/open-task.ts'
import { renewLease } from '../../src/broker/renew.ts'
import { testBroker } from '../fixture/broker.ts'

const intent = [
  { type: 'fake', identifier: 'tickets-read', actions: ['read'], locations: ['/tickets/4711/*'] },
]

it('P5: no lease is longer than planned, whatever its upstream says', async () => {
  const house = await testBroker()
  onTestFinished(house.close)
  const { broker } = house
  const instance = broker.world().providers.get('upstream')
  if (!instance) throw new Error('the house has no upstream')
  const { mint } = instance.provider
  const anHour = 3_600_000
  instance.provider.mint = async (order) => ({
    ...(await mint(order)),
    expiresAt: order.notAfter + anHour,
    nativeExpiresAt: order.notAfter + anHour,
  })
  const { task } = await openTask(
    broker,
    { token: await house.evidence() },
    {
      purpose: 'summarise ticket 4711',
      intent,
      ttlSeconds: undefined,
      heartbeatSeconds: undefined,
      labels: {},
    },
  )
  const issued = await issueCredential(broker, task, {
    entitlement: 'tickets-read',
    intent: undefined,
    ttlSeconds: 60,
    idempotencyKey: undefined,
  })
  if ('approval' in issued) throw new Error('it awaits an approval')
  const { lease } = issued
  const now = house.clock.now()
  expect(lease.expiresAt).toBe(now + 60_000)
  expect(lease.exposedUntil).toBe(now + 60_000 + anHour)
  await house.advance(30_000)
  const renewed = await renewLease(broker, task, lease)
  expect(renewed.lease.expiresAt).toBe(now + 90_000)
})
