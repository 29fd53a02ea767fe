import type { App, Parts } from './env.ts'
import { introspectRoute } from './oauth-introspect.ts'
import { metadataRoutes } from './oauth-metadata.ts'

/** The standard door: Mayfly as an OAuth authorization server of its own access tokens. */
export function oauthRoutes(app: App, parts: Parts): void {
  metadataRoutes(app, parts)
  introspectRoute(app, parts)
}
