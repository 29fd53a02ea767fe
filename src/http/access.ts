import { createRoute, z } from '@hono/zod-openapi'
import { evaluateAll } from '../broker/evaluate-all.ts'
import type { ErrorCode } from '../errors.ts'
import { json, refusals } from './answers.ts'
import { authZenStatus } from './authzen-error.ts'
import { BODY_REFUSALS, body, jsonBody } from './body.ts'
import type { App, Parts } from './env.ts'
import { invalid } from './invalid.ts'
import {
  entriesOf,
  evaluationBody,
  evaluationOf,
  evaluationsBody,
  verdictAnswer,
  verdictsAnswer,
  verdictWire,
} from './wire/access.ts'

const EVALUATION = '/access/v1/evaluation'
const EVALUATIONS = '/access/v1/evaluations'

/**
 * OpenID AuthZEN Authorization API 1.0: a gateway asks, before each call of a tool, whether the
 * task may do that now. A deny is an answer like any other: 200 with `decision: false`.
 */
export function accessRoutes(app: App, { broker, guards }: Parts): void {
  const tags = ['action time']
  const one = createRoute({
    method: 'post',
    path: EVALUATION,
    tags,
    summary: 'May this task do this, there, now',
    description:
      'AuthZEN 1.0 access evaluation. Anything but `decision: true` means no, also an error and no answer.',
    security: [{ gateway: [] }],
    middleware: [guards.gateway, jsonBody] as const,
    request: { body: body(evaluationBody) },
    responses: {
      200: json(verdictAnswer, 'The decision.'),
      ...errors(...BODY_REFUSALS, 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(one, async (c) => {
    const entries = [evaluationOf(c.req.valid('json'))]
    const [verdict] = await evaluateAll(broker, c.var.gateway, { entries, semantic: 'execute_all' })
    return c.json(verdictWire(verdict ?? { unreadable: 'there is none' }), 200)
  })

  const many = createRoute({
    method: 'post',
    path: EVALUATIONS,
    tags,
    summary: 'The same for several, with one answer for each',
    description:
      'AuthZEN 1.0 access evaluations. Without entries it is a single evaluation, and answered so.',
    security: [{ gateway: [] }],
    middleware: [guards.gateway, jsonBody] as const,
    request: { body: body(evaluationsBody) },
    responses: {
      200: json(verdictsAnswer, 'The decisions, in the order of the entries.'),
      ...errors(...BODY_REFUSALS, 'unauthenticated', 'forbidden'),
    },
  })
  app.openapi(many, async (c) => {
    const asked = c.req.valid('json')
    const semantic = asked.options?.evaluations_semantic ?? 'execute_all'
    const listed = asked.evaluations ?? []
    const entries = listed.length === 0 ? [evaluationOf(whole(asked))] : entriesOf(asked, listed)
    const answers = await evaluateAll(broker, c.var.gateway, { entries, semantic })
    const wire = answers.map(verdictWire)
    const [first] = wire
    return c.json(listed.length === 0 && first ? first : { evaluations: wire }, 200)
  })

  const metadata = createRoute({
    method: 'get',
    path: '/.well-known/authzen-configuration',
    tags,
    summary: 'Where evaluations are asked for (AuthZEN 1.0 metadata)',
    description: 'For gateways that look for the addresses instead of knowing them.',
    security: [],
    responses: {
      200: json(metadataAnswer, 'There is no search: what is absent is not offered.'),
      ...refusals(),
    },
  })
  app.openapi(metadata, (c) => {
    const base = broker.world().config.server.publicUrl.replace(/\/$/, '')
    return c.json(
      {
        policy_decision_point: base,
        access_evaluation_endpoint: `${base}${EVALUATION}`,
        access_evaluations_endpoint: `${base}${EVALUATIONS}`,
      },
      200,
    )
  })
}

const metadataAnswer = z
  .strictObject({
    policy_decision_point: z.string(),
    access_evaluation_endpoint: z.string(),
    access_evaluations_endpoint: z.string(),
  })
  .openapi('AuthZenConfiguration')

/** A batch without entries must be complete by itself. */
function whole(asked: z.output<typeof evaluationsBody>): z.output<typeof evaluationBody> {
  const read = evaluationBody.safeParse(asked)
  if (!read.success) throw invalid(read.error)
  return read.data
}

/** Refusals by status, each a message (AuthZEN 1.0), for a route's description. */
function errors(...codes: readonly ErrorCode[]): Record<never, never> {
  const all: ErrorCode[] = [...codes, 'internal', 'unavailable']
  const statuses = [...new Set(all.map(authZenStatus))].toSorted((a, b) => a - b)
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      json(z.string(), all.filter((code) => authZenStatus(code) === status).join(', ')),
    ]),
  )
}
