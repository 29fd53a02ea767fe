import { z } from 'zod'
import { UsageError } from './command.ts'

const rfc3339 = z.iso.datetime({ offset: true })

/** A flag's time of day, RFC 3339, as epoch milliseconds; undefined if it was not given. */
export function instantOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (rfc3339.safeParse(text).success) return Date.parse(text)
  throw new UsageError(`${flag} "${text}" must be a time like 2027-01-15T12:00:00Z`)
}
