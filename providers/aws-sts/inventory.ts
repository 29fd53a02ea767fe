/** What one role's deny documents of this installation refuse, by the leases they name. */
import { type InventoryItem, UpstreamError } from '../../src/provider.ts'
import type { RoleDenials } from './role-denials.ts'

export async function refusedOn(
  denials: RoleDenials,
  role: string,
  signal: AbortSignal,
): Promise<readonly InventoryItem[]> {
  try {
    return (await denials.inventory(signal)).map(({ policy, name }) => ({
      upstreamName: name,
      what: `refused on ${role} by ${policy}`,
      works: false,
    }))
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    if (error.upstreamCode === 'NoSuchEntity') {
      return [
        { group: role, what: `${role} does not exist, and so no session of it`, works: false },
      ]
    }
    return [{ group: role, what: `the policies of ${role} could not be read: ${error.message}` }]
  }
}
