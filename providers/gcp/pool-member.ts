import { z } from 'zod'
import { type EndOrder, UpstreamError } from '../../src/provider.ts'
import { accountOf, isPool, resourceName, target } from './target.ts'
import type { Bounds, Upstream } from './upstream.ts'

export interface Member {
  readonly account: string
  readonly name: string
}

export function memberOf(order: EndOrder): Member {
  const given = target.safeParse(order.target)
  if (!given.success) throw new UpstreamError('refused', 'the lease has no target of this provider')
  if (!isPool(given.data)) {
    throw new UpstreamError(
      'refused',
      'tokens of a shared service account cannot be ended early: they end by expiry',
    )
  }
  const account = accountOf(given.data, order.slot)
  if (account === undefined) {
    throw new UpstreamError('refused', `slot ${order.slot} is not an account of the target's pool`)
  }
  return { account, name: resourceName(given.data, account) }
}

const view = z.object({ disabled: z.boolean().optional() })

/** What IAM says of the account now; the field is left out while it is enabled. */
export async function isDisabled(
  upstream: Upstream,
  member: { readonly name: string },
  bounds: Bounds,
): Promise<boolean> {
  const request = { method: 'GET', path: member.name } as const
  const answer = await upstream.iam(upstream.revoker, request, bounds)
  const parsed = view.safeParse(answer.body)
  if (!parsed.success) throw new UpstreamError('unknown', `${member.name}: not an account`)
  return parsed.data.disabled ?? false
}
