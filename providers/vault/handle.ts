/** What ending a lease at Vault needs later: accessors and lease ids, never a token. */
import { z } from 'zod'

const handleSchema = z.strictObject({
  /** Of every token made for this lease, over all its generations. */
  accessors: z.array(z.string().min(1)),
  /** Ids of Vault leases on secrets read with those tokens. */
  leases: z.array(z.string().min(1)),
  /** False when a call's answer was lost, so that there may be more than is listed. */
  complete: z.boolean(),
  /** The Vault and namespace that made them: no other knows them, which would look like an end. */
  vault: z.string().optional(),
})

export type Handle = z.output<typeof handleSchema>

export const NOTHING_KNOWN: Handle = { accessors: [], leases: [], complete: false }

/** An unreadable handle is treated like none: the lease is then ended by its name. */
export function parseHandle(stored: unknown): Handle {
  const parsed = handleSchema.safeParse(stored)
  return parsed.success ? parsed.data : NOTHING_KNOWN
}

export function joinHandles(a: Handle, b: Handle): Handle {
  return {
    accessors: [...new Set([...a.accessors, ...b.accessors])],
    leases: [...new Set([...a.leases, ...b.leases])],
    complete: a.complete && b.complete,
    ...(a.vault === undefined ? {} : { vault: a.vault }),
  }
}
