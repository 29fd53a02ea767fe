import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Actor } from '../audit/events.ts'
import type { Broker } from '../broker/broker.ts'
import type { MayflyError } from '../errors.ts'
import type { ReloadWire } from '../model/wire.ts'
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

/** Why this broker should get no traffic now, by name and without secrets; empty: it may. */
export type Ready = () => Promise<readonly string[]>
export type Reload = (request: {
  readonly actor: Actor
  readonly confirm?: string
}) => Promise<ReloadWire>

/** What the routes of every resource are built from. */
export interface Parts {
  readonly broker: Broker
  readonly guards: Guards
  readonly metrics: Metrics
  readonly ready: Ready
  readonly reload: Reload
}
