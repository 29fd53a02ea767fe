import { z } from '@hono/zod-openapi'

/** Fields whose value is not known are left out of an answer, never sent as null. */
export function known<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(fields).filter(
    ([, value]) => value !== null && value !== undefined,
  )
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> } // what is left of T
}

/** An instant as RFC 3339 in UTC, with milliseconds. */
export function rfc3339(instant: number): string {
  return new Date(instant).toISOString()
}

/** The same for an instant that may not have come. */
export function rfc3339OrNone(instant: number | null): string | undefined {
  return instant === null ? undefined : rfc3339(instant)
}

/** Said only where it is so. */
export const unreadable = z.literal(true).optional().openapi({
  description: 'Its row is damaged: what cannot be read is left empty.',
})
