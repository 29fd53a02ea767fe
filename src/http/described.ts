import type { createRoute } from '@hono/zod-openapi'
import type { Context, Handler, MiddlewareHandler } from 'hono'
import type { App, Env } from './env.ts'

type Route = ReturnType<typeof createRoute>
type Guarded<V extends object> = Env & { Variables: V }

/**
 * Describes a route and serves it behind its guard, for the calls that agents make all day: the
 * handler reads what it needs of the request, once, with the schemas of the description. `app.openapi`
 * would read and check headers, path and body each in a step of its own.
 */
export function described<V extends object>(
  app: App,
  { route, guard }: { readonly route: Route; readonly guard: MiddlewareHandler<{ Variables: V }> },
  answer: (c: Context<Guarded<V>>) => Promise<Response>,
): void {
  app.openAPIRegistry.registerPath(route)
  // The path's type is lost, and nothing here needs it.
  app.on(route.method, route.getRoutingPath(), guard, answer as Handler<Guarded<V>>)
}
