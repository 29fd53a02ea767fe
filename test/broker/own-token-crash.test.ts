import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { jwt } from '../../providers/jwt/index.ts'
import { activeToken } from '../../src/broker/introspect.ts'
import { issueCredential } from '../../src/broker/issue.ts'
import { openTask } from '../../src/broker/open-task.ts'
import { startLifecycle } from '../../src/lifecycle/lifecycle.ts'
import type { Secret } from '../../src/secret.ts'
import { testBroker } from '../fixture/broker.ts'
import { addOwnApis, READ_TICKET } from '../fixture/own-api.ts'
import { realTime } from '../fixture/real-time.ts'
import { startIssuer } from '../identity/issuer-server.ts'

it('P1: a token signed when the broker died is known by its reservation, and never active', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-own-crash-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const issuer = await startIssuer()
  onTestFinished(() => issuer.close())
  const open = () =>
    testBroker({ dir, issuer, time: realTime, providers: [jwt], change: addOwnApis })

  const before = await open()
  const { task } = await openTask(
    before.broker,
    { token: await before.evidence() },
    {
      purpose: 'x',
      intent: [READ_TICKET],
      ttlSeconds: 600,
      heartbeatSeconds: undefined,
      labels: {},
    },
  )
  // The signature is made, and nothing of what comes after it happens any more.
  const { signer } = before.broker
  const sign = signer.sign.bind(signer)
  const signed = Promise.withResolvers<Secret>()
  Object.assign(signer, {
    sign: async (order: Parameters<typeof sign>[0]) => {
      signed.resolve(await sign(order))
      return await new Promise<never>(() => {})
    },
  })
  const request = { entitlement: 'tickets-api', intent: undefined, ttlSeconds: 300 }
  issueCredential(before.broker, task, { ...request, idempotencyKey: undefined }).catch(() => {})
  const token = (await signed.promise).reveal()
  expect(await activeToken(before.broker, token)).toBeUndefined()
  await before.close()

  const after = await open()
  onTestFinished(after.close)
  expect(await after.broker.signer.verify(token, 'at+jwt')).toBeDefined()
  const lifecycle = await startLifecycle(after.broker)
  onTestFinished(() => lifecycle.stop(0))
  expect(await activeToken(after.broker, token)).toBeUndefined()
  const page = { limit: 10, after: undefined }
  const [lease, ...others] = await after.store.leases.list({ tenants: null }, page)
  expect(others).toEqual([])
  expect(lease).toMatchObject({ state: 'ending', cause: 'unknown-outcome' })
  const claims = await after.broker.signer.verify(token, 'at+jwt')
  expect(claims?.jti).toBe(lease?.upstreamName)
  const until = lease?.latestPossibleExpiry ?? 0
  expect(until).toBeGreaterThanOrEqual((claims?.exp ?? Number.POSITIVE_INFINITY) * 1_000)
})

it('P6: an end is proved by introspection, as far as the API asks', async () => {
  const house = await testBroker({
    time: realTime,
    providers: [jwt],
    change: (doc) => {
      addOwnApis(doc)
      const [ceiling] = doc.entitlements.at(-1).ceiling
      const target = { audience: 'https://cached.example', introspect: 'required' }
      doc.entitlements.push({
        id: 'cached-api',
        tenants: ['support'],
        provider: 'own',
        target: { ...target, introspect_cache: '20s' },
        ceiling: [ceiling],
      })
    },
  })
  onTestFinished(house.close)
  const lifecycle = await startLifecycle(house.broker)
  onTestFinished(() => lifecycle.stop(0))
  const apis = ['tickets-api', 'cached-api', 'offline-api']
  const { task } = await openTask(
    house.broker,
    { token: await house.evidence() },
    {
      purpose: 'x',
      intent: apis.map((identifier) => ({ ...READ_TICKET, identifier })),
      ttlSeconds: 600,
      heartbeatSeconds: undefined,
      labels: {},
    },
  )
  const ended = async (entitlement: string) => {
    const request = { entitlement, intent: undefined, ttlSeconds: 300, idempotencyKey: undefined }
    const issued = await issueCredential(house.broker, task, request)
    if ('approval' in issued) throw new Error('it needs no approval')
    const { id } = issued.lease
    const now = house.clock.now()
    await house.store.leases.end({ id, cause: 'ended', lane: 'end', actor: 'mayfly', now })
    await new Promise((resolve) => setTimeout(resolve, 300))
    const lease = await house.store.leases.byId(id)
    const exposedMs = (lease?.exposedUntil ?? 0) - now
    return { state: lease?.state, containment: lease?.containment, proof: lease?.proof, exposedMs }
  }
  const asks = await ended('tickets-api')
  expect(asks).toMatchObject({ state: 'ended', containment: 'proved' })
  expect(asks.proof?.method).toBe('introspection')
  expect(asks.exposedMs).toBeLessThan(1_000)
  const keeps = await ended('cached-api')
  expect(keeps).toMatchObject({ state: 'ending', containment: 'enforced' })
  expect(keeps.exposedMs).toBeGreaterThan(19_000)
  expect(keeps.exposedMs).toBeLessThan(22_000)
  const never = await ended('offline-api')
  expect(never).toMatchObject({ state: 'ending', containment: 'pending' })
  expect(never.exposedMs).toBeGreaterThan(290_000)
})
