import type { Hook } from '@hono/zod-openapi'
import type { z } from 'zod'
import { MayflyError } from '../errors.ts'
import { requestProblems } from '../model/request-problems.ts'
import type { Env } from './env.ts'

/** Refuses what a route's schema does not accept, with every problem and its path. */
export const refuseInvalid: Hook<unknown, Env, string, unknown> = (result) => {
  if (!result.success) throw invalid(result.error)
}

/** The refusal of what a schema does not accept. */
export function invalid(error: z.ZodError): MayflyError {
  return new MayflyError('invalid_request', 'the request has fields that cannot be accepted', {
    problems: requestProblems(error),
  })
}
