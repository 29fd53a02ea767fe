import { createRoute } from '@hono/zod-openapi'
import { killFacts, leaseFacts, signReceipt } from '../broker/receipt.ts'
import { byId, json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'
import { BY_TASK } from './security.ts'
import {
  killedLine,
  killReceiptAnswer,
  killReceiptWire,
  leaseReceiptAnswer,
  leaseReceiptWire,
  receiptKeysAnswer,
} from './wire/receipt.ts'

const tags = ['receipts']
/** A new key signs at once, so whoever meets an unknown `kid` asks again. */
const KEY_SET_HEADERS = { 'cache-control': 'public, max-age=60' }

/** Signed statements of what became of a lease or a kill, and the keys to verify them with. */
export function receiptRoutes(app: App, { broker, guards }: Parts): void {
  const ofLease = createRoute({
    method: 'get',
    path: '/v1/leases/{id}/receipt',
    tags,
    summary: 'A signed statement of the life of a lease, as it is known now',
    description:
      'Who ordered its end and why, how far that has come and how it was seen, until when it could work. The JWS is verified without the broker, with the keys of `/v1/receipt-keys`. Asking changes nothing.',
    security: [...BY_TASK, { operator: [] }],
    middleware: guards.either,
    request: { params: byId },
    responses: {
      200: json(leaseReceiptAnswer, 'The receipt; of a lease that is not over it says so.'),
      ...refusals(
        'unauthenticated',
        'forbidden',
        'not_found',
        'task_ended',
        'conflict',
        'limit_reached',
      ),
    },
  })
  app.openapi(ofLease, async (c) => {
    const facts = await leaseFacts(broker, c.get('caller'), c.req.valid('param').id)
    const { asOf } = facts
    return c.json(await signReceipt(broker, { asOf, lease: leaseReceiptWire(facts) }), 200)
  })

  const ofKill = createRoute({
    method: 'get',
    path: '/v1/kills/{id}/receipt',
    tags,
    summary: 'A signed statement of a kill and what became of each lease, as it is known now',
    description:
      'Counts by containment, a line for each of up to 1,000 leases, and a hash over the lines of all. Asking changes nothing; a later one may say more.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { params: byId },
    responses: {
      200: json(killReceiptAnswer, 'The receipt; of a kill under way it says so.'),
      ...refusals('unauthenticated', 'forbidden', 'not_found'),
    },
  })
  app.openapi(ofKill, async (c) => {
    const { id } = c.req.valid('param')
    const facts = await killFacts(broker, c.var.caller, { id, lineOf: killedLine })
    const { asOf } = facts
    return c.json(await signReceipt(broker, { asOf, kill: killReceiptWire(facts) }), 200)
  })

  const keys = createRoute({
    method: 'get',
    path: '/v1/receipt-keys',
    tags,
    summary: 'The public keys of all receipts, those retired too (RFC 7517)',
    description:
      'Each with the time in which it signed. Keep them beside the receipts: they outlive the broker there.',
    security: [],
    responses: { 200: json(receiptKeysAnswer, 'The keys.'), ...refusals() },
  })
  app.openapi(keys, (c) => {
    const { keys: all } = broker.signer.receipts.jwks()
    return c.json({ keys: [...all] }, 200, KEY_SET_HEADERS)
  })
}
