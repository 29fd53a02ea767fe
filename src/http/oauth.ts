import type { App, Parts } from './env.ts'
import { introspectRoute } from './oauth-introspect.ts'
import { metadataRoutes } from './oauth-metadata.ts'
import { revokeRoute } from './oauth-revoke.ts'
import { tokenRoute } from './oauth-token.ts'

/** The standard door: Mayfly as an OAuth authorization server of its own access tokens. */
export function oauthRoutes(app: App, parts: Parts): void {
  metadataRoutes(app, parts)
  tokenRoute(app, parts)
  introspectRoute(app, parts)
  revokeRoute(app, parts)
}
