import type { EndOrder } from '../../src/provider.ts'
import { refusesByTags, type TagDenial } from './tag-denials.ts'

/** What a document refuses. */
export interface Refused {
  readonly names: ReadonlySet<string>
  readonly tags: readonly Omit<TagDenial, 'until'>[]
}

export const NOTHING: Refused = { names: new Set(), tags: [] }

/** Whether these refuse every session of the lease. */
export function refuses({ names, tags }: Refused, order: EndOrder): boolean {
  return names.has(order.upstreamName) || tags.some((one) => refusesByTags(one, order))
}

/** What several documents refuse together. */
export function together(documents: readonly Refused[]): Refused {
  return {
    names: new Set(documents.flatMap(({ names }) => [...names])),
    tags: documents.flatMap(({ tags }) => tags),
  }
}
