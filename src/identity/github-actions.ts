import type { KeyContext } from './documents.ts'
import type { Issuer } from './issuer.ts'
import type { IssuerConfigOf } from './issuer-settings.ts'
import { keysOfIssuer } from './oidc.ts'
import { textAt } from './plain-claims.ts'

/** Claims without which a token cannot be told apart from that of a renamed or foreign repository. */
const REQUIRED = ['repository', 'repository_id', 'repository_owner', 'repository_owner_id'] as const

/**
 * Tokens of workflow runs (https://docs.github.com/en/actions/reference/security/oidc). Every
 * workflow of everyone gets them from one issuer for whatever audience it asks: only those of
 * repositories of the configured owners are evidence.
 */
export function githubActionsIssuer(
  config: IssuerConfigOf<'github-actions'>,
  context: KeyContext,
): Issuer {
  return {
    config,
    keys: keysOfIssuer(config, context),
    rules: { algorithms: ['RS256'], iss: config.issuer, oneTime: config.one_time },
    read: (claims) => {
      const missing = REQUIRED.find((name) => textAt(claims, name) === undefined)
      if (missing !== undefined) return `it has no ${missing}`
      const owner = textAt(claims, 'repository_owner_id') ?? ''
      if (!config.owner_ids.includes(owner)) return 'its repository is of another owner'
      // One job of one attempt; absent in tokens of older GitHub Enterprise servers.
      return { names: {}, instance: textAt(claims, 'check_run_id') ?? null }
    },
  }
}
