import { z } from 'zod'

/** The longest single name, pattern or value in an intent, a selector or a signal. */
export const MAX_TEXT = 512

/**
 * What a person must never be shown unseen: control characters, everything Unicode calls a format
 * character (bidi overrides, zero-width joiners, tags), line and paragraph separators, and halves
 * of surrogate pairs.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u

/** The first hidden character of `text` as `U+…`; undefined if there is none. */
export function hiddenCharacter(text: string): string | undefined {
  const code = HIDDEN.exec(text)?.[0].codePointAt(0)
  return code === undefined ? undefined : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
}

/** A string of 1 to `max` characters in which everything can be seen. */
export function plainText(max = MAX_TEXT) {
  return z
    .string()
    .min(1, 'must not be empty')
    .max(max, `must be at most ${max} characters`)
    .refine((text) => !HIDDEN.test(text), {
      error: (issue) => `must not contain ${hiddenCharacter(String(issue.input))}`,
    })
}
