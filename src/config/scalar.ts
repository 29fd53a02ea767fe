import { z } from 'zod'

export { duration } from '../model/duration-schema.ts'

/** `64MiB`, as bytes. */
export const size = z.string().transform((text, context) => {
  const match = /^(\d{1,6})(KiB|MiB|GiB)$/.exec(text)
  if (match) return Number(match[1]) * (BYTES[match[2] ?? ''] ?? 0)
  context.addIssue({ code: 'custom', message: `"${text}" is not a size; write 64MiB or 1GiB` })
  return z.NEVER
})

/** A date (its first moment in UTC) or an RFC 3339 time, as epoch milliseconds. */
export const instant = z.string().transform((text, context) => {
  const form = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/
  const at = form.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isFinite(at)) return at
  context.addIssue({
    code: 'custom',
    message: `"${text}" is not a time; write 2027-01-31 or 2027-01-31T12:00:00Z`,
  })
  return z.NEVER
})

export const count = (least: number) =>
  z.int('must be a whole number').min(least, `must be at least ${least}`).max(1_000_000)

const BYTES: Record<string, number> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }
