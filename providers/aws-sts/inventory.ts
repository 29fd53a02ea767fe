/** What one role's deny documents of this installation refuse, by the leases they name. */
import { type InventoryItem, UpstreamError } from '../../src/provider.ts'
import { namesRefusedBy } from './deny-documents.ts'
import type { RoleDenials } from './role-denials.ts'
import { refusesByTags, type TagDenial, tagDenialsIn } from './tag-denials.ts'

export async function refusedOn(
  denials: RoleDenials,
  role: string,
  signal: AbortSignal,
): Promise<readonly InventoryItem[]> {
  try {
    return (await denials.documents(signal)).flatMap(({ name, text }) => {
      const what = `refused on ${role} by ${name}`
      return [
        ...namesRefusedBy(text).map((upstreamName) => ({
          upstreamName,
          group: role,
          what,
          works: false,
        })),
        ...tagDenialsIn(text).map((denial) => ({ ...many(denial, role), what, works: false })),
      ]
    })
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

function many(denial: Omit<TagDenial, 'until'>, role: string): Pick<InventoryItem, 'refuses'> {
  return { refuses: (lease) => lease.group === role && refusesByTags(denial, lease) }
}
