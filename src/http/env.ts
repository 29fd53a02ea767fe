import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Broker } from '../broker/broker.ts'
import type { MayflyError } from '../errors.ts'
import type { Ready, Reload } from './app.ts'
import type { Guards } from './authenticate.ts'
import type { Metrics } from './metrics.ts'

/** What travels with one request beside what it says. */
export interface Env {
  Variables: {
    requestId: string
    /** What was answered instead of what was asked for. */
    refusal?: MayflyError
    /** The provider asked on behalf of this request, for metrics. */
    upstream?: string
  }
}

export type App = OpenAPIHono<Env>

/** What the routes of every resource are built from. */
export interface Parts {
  readonly broker: Broker
  readonly guards: Guards
  readonly metrics: Metrics
  readonly ready: Ready
  readonly reload: Reload
}
