import { createRoute, z } from '@hono/zod-openapi'
import { auditHead, readAudit } from '../broker/read-audit.ts'
import { json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'
import { BY_NUMBER, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { known, rfc3339 } from './wire/known.ts'
import { auditEventAnswer, auditEventWire, auditHeadAnswer } from './wire/record.ts'

const listAnswer = pageAnswer(auditEventAnswer).extend({
  filtered_to_tenants: z.array(z.string()).optional().openapi({
    description:
      'Present when events of other tenants were left out: no chain can be checked then.',
  }),
})

/** `/v1/audit`: the chain in its order; a whole one only for who may read every tenant. */
export function auditRoutes(app: App, { broker, guards }: Parts): void {
  const tags = ['audit']
  const list = createRoute({
    method: 'get',
    path: '/v1/audit',
    tags,
    summary: 'Audit events, oldest first',
    description:
      'Each with the hash of the one before. An operator of some tenants gets the events of those, which form no chain: the answer says so.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: {
      query: z.strictObject({
        ...paging,
        lease: z.string().optional(),
        task: z.string().optional(),
        full: z.enum(['true', 'false']).default('false').openapi({
          description: '`true`: refuse rather than leave out events of other tenants.',
        }),
      }),
    },
    responses: {
      200: json(listAnswer, 'A page of events.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const { limit, cursor, full, ...filter } = c.req.valid('query')
    const page = pageOf({ limit, cursor }, BY_NUMBER)
    const extent = full === 'true' ? 'whole' : 'readable'
    const events = await readAudit(broker, c.var.caller, { filter: known(filter), extent, page })
    const filtered_to_tenants = events.filteredTo && [...events.filteredTo]
    return c.json({ ...pageWire(events, auditEventWire), ...known({ filtered_to_tenants }) }, 200)
  })

  const head = createRoute({
    method: 'get',
    path: '/v1/audit/head',
    tags,
    summary: 'The newest event of the chain',
    description:
      'To be kept where the owner of this host cannot write: an outside anchor. For operators of every tenant.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    responses: {
      200: json(auditHeadAnswer, 'Its number and hash.'),
      ...refusals('unauthenticated', 'forbidden'),
    },
  })
  app.openapi(head, async (c) => {
    const { seq, hash, at } = await auditHead(broker, c.var.caller)
    return c.json({ seq, hash, at: rfc3339(at) }, 200)
  })
}
