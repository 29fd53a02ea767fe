import type { EntitlementConfig } from '../config.ts'
import { MayflyError } from '../errors.ts'
import type { IntentItem } from '../model/intent.ts'
import type { AccessTokens } from '../provider.ts'
import type { World } from './broker.ts'

/** For what an OAuth client asks, in its own words. */
export interface TokenRequest {
  /** `authorization_details`; an item may leave out the entitlement where an audience says it. */
  readonly details: readonly IntentItem[]
  readonly scope: readonly string[]
  /** `audience` and `resource`: all of them must be of one entitlement. */
  readonly audiences: readonly string[]
}

/** The one entitlement that is meant, and the intent on it; undefined: all the task said of it. */
export interface TokenTarget {
  readonly entitlement: EntitlementConfig
  readonly intent: readonly IntentItem[] | undefined
}

/**
 * find the tenant's entitlements to access tokens → by name, by audience → details and scope
 *
 * Pure. Refuses with `not_found` where no or no single entitlement is meant, so that a foreign one
 * is answered like none (P11), and with `invalid_intent` where the details name several.
 */
export function tokenTarget(
  world: World,
  { tenant, named }: { readonly tenant: string; readonly named?: ReadonlySet<string> },
  { details, scope, audiences }: TokenRequest,
): TokenTarget {
  const identifiers = new Set(details.flatMap(({ identifier = [] }) => identifier))
  const [identifier] = identifiers
  if (identifiers.size > 1) {
    throw new MayflyError('invalid_intent', 'one token is for one entitlement: ask for each apart')
  }
  if (identifier === undefined && audiences.length === 0) {
    throw new MayflyError(
      'not_found',
      'name an entitlement (identifier), an audience or a resource',
    )
  }
  const meant = [...world.entitlements.values()].flatMap((entitlement) => {
    const tokens = accessTokens(world, entitlement)
    const offered = tokens !== undefined && entitlement.tenants.includes(tenant)
    const byName = identifier === undefined ? (named?.has(entitlement.id) ?? true) : true
    const wanted = identifier === undefined || identifier === entitlement.id
    const fits = audiences.every((audience) => tokens?.audiences.includes(audience))
    return offered && byName && wanted && fits ? [{ entitlement, tokens }] : []
  })
  const [one, ...others] = meant
  if (one === undefined || others.length > 0) {
    const many = others.length > 0
    throw new MayflyError(
      'not_found',
      many
        ? 'several entitlements are for this audience: name one'
        : 'no such audience or resource',
    )
  }
  const { entitlement, tokens } = one
  const items = [...details, ...(scope.length === 0 ? [] : [tokens.intentOf(scope)])]
  const intent = items.map((item) => ({ ...item, identifier: entitlement.id }))
  return { entitlement, intent: intent.length === 0 ? undefined : intent }
}

function accessTokens(world: World, { provider, target }: EntitlementConfig) {
  const instance = world.providers.get(provider)
  const tokens: AccessTokens | undefined = instance?.config.definition.accessTokensOf?.(target)
  return tokens
}
