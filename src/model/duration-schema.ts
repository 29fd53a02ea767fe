import { z } from 'zod'
import { parseDuration } from '../duration.ts'

/** `90s`, `15m`, `1h30m`, `2d`, as whole seconds above zero. */
export const duration = z.string().transform((text, context) => {
  const seconds = parseDuration(text)
  if (seconds !== undefined && seconds > 0) return seconds
  context.addIssue({
    code: 'custom',
    message: `"${text}" is not a duration above zero; write 90s, 15m or 1h30m`,
  })
  return z.NEVER
})
