import { createRoute, z } from '@hono/zod-openapi'
import { confirmRestore } from '../broker/confirm-restore.ts'
import { plainText } from '../model/text.ts'
import { json, refusals } from './answers.ts'
import { BODY_REFUSALS, body, jsonBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { killAnswer, killWire } from './wire/kill.ts'

const confirmBody = z.strictObject({ reason: plainText() }).openapi('ConfirmRestore')

/** `POST /v1/restore/confirm`: the operator's word after an older database was put back. */
export function restoreRoutes(app: App, { broker, guards }: Parts): void {
  const confirm = createRoute({
    method: 'post',
    path: '/v1/restore/confirm',
    tags: ['kills'],
    summary: 'Let the broker issue again after an older database was restored',
    description:
      'Until then nothing is opened, issued or renewed, as `withheld` of `/readyz` says. It kills every task and lease that came back with the database, because nobody knows which of them had been ended since. For whoever may administer.',
    security: [{ operator: [] }],
    middleware: [guards.operator, jsonBody] as const,
    request: { body: body(confirmBody) },
    responses: {
      202: json(
        z.strictObject({ kill: killAnswer }),
        'Confirmed, and the kill of all that was open in the restored database.',
      ),
      ...refusals(...BODY_REFUSALS, 'unauthenticated', 'forbidden', 'conflict'),
    },
  })
  app.openapi(confirm, async (c) => {
    const kill = await confirmRestore(broker, c.var.caller, c.req.valid('json').reason)
    return c.json({ kill: killWire(kill, undefined) }, 202)
  })
}
