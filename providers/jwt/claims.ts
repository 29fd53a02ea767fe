import type { Chain } from '../../src/model/chain.ts'
import type { KeyName } from '../../src/model/key.ts'
import type { MintOrder } from '../../src/provider.ts'
import type { Scope } from './compile.ts'

/**
 * The claims of an access token but for its issuer (RFC 9068 §2.2): who holds it is `client_id`, on
 * whose behalf is `sub`, what it is for stands in `authorization_details` (RFC 9396 §9.1). `jti` is
 * the lease's upstream name, with the generation of a renewed token behind it.
 */
export function claimsOf(
  order: MintOrder,
  { compiled, iat, exp }: { compiled: Scope; iat: number; exp: number },
): Record<string, unknown> {
  const { agent, tenant, upstreamName, generation, holder } = order
  const { audience, authorization_details, scope } = compiled
  return {
    aud: audience.length === 1 ? audience[0] : audience,
    ...onBehalf(agent, holder.chain),
    client_id: agent,
    tenant,
    jti: generation === 1 ? upstreamName : `${upstreamName}.${generation}`,
    iat,
    exp,
    ...(scope === undefined ? {} : { scope }),
    authorization_details,
    ...confirmation(holder.key),
  }
}

interface Act {
  readonly sub: string
  readonly act?: Act
}

/** RFC 8693 §4.1: `sub` is who delegated first, `act` who acts now, and inside it who did before. */
function onBehalf(agent: string, chain: Chain): { readonly sub: string; readonly act?: Act } {
  const first = chain.at(-1)
  if (first === undefined) return { sub: agent }
  const between = chain
    .slice(0, -1)
    .reduceRight<Act | undefined>(
      (act, one) => ({ sub: one.agent, ...(act && { act }) }),
      undefined,
    )
  return { sub: first.agent, act: { sub: agent, ...(between && { act: between }) } }
}

/** RFC 7800 `cnf`: the key the task is bound to, which whoever uses the token must show. */
function confirmation(key: KeyName | null): { readonly cnf?: Record<string, string> } {
  if (key === null) return {}
  const at = key.indexOf(':')
  return { cnf: { [key.slice(0, at)]: key.slice(at + 1) } }
}
