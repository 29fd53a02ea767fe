import { createRoute, z } from '@hono/zod-openapi'
import { liftBlock } from '../broker/kill.ts'
import { findBlock, listBlocks } from '../broker/read-trouble.ts'
import { byId, json, refusals } from './answers.ts'
import type { App, Parts } from './env.ts'
import { BY_TIME, pageAnswer, pageOf, pageWire, paging } from './paging.ts'
import { blockAnswer, blockWire } from './wire/trouble.ts'

/** `/v1/blocks`: what nothing is issued for, and the way back after a false alarm. */
export function blockRoutes(app: App, { broker, guards }: Parts): void {
  const tags = ['blocks']
  const list = createRoute({
    method: 'get',
    path: '/v1/blocks',
    tags,
    summary: 'Blocks, newest first',
    description:
      'For what a block names nothing is opened, issued or renewed. Those that reach no further than the operator’s tenants.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: {
      query: z.strictObject({
        ...paging,
        state: z.enum(['live', 'all']).default('live').openapi({
          description: '`all`: also those lifted or expired.',
        }),
      }),
    },
    responses: {
      200: json(pageAnswer(blockAnswer), 'A page of blocks.'),
      ...refusals('invalid_request', 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(list, async (c) => {
    const { state, ...query } = c.req.valid('query')
    const request = { live: state, page: pageOf(query, BY_TIME) }
    return c.json(pageWire(await listBlocks(broker, c.var.caller, request), blockWire), 200)
  })

  const lift = createRoute({
    method: 'delete',
    path: '/v1/blocks/{id}',
    tags,
    summary: 'Lift a block',
    description:
      'For a false alarm, or trouble that is over. What was ended stays ended. Risk that the same signal set is taken back with the last of its blocks.',
    security: [{ operator: [] }],
    middleware: guards.operator,
    request: { params: byId },
    responses: {
      200: json(blockAnswer, 'The lifted block.'),
      ...refusals('unauthenticated', 'forbidden', 'not_found', 'conflict'),
    },
  })
  app.openapi(lift, async (c) => {
    const { caller } = c.var
    const block = await findBlock(broker, caller, c.req.valid('param').id)
    return c.json(blockWire(await liftBlock(broker, caller, block)), 200)
  })
}
