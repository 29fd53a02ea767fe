import { z } from 'zod'
import { parseDuration } from '../../src/duration.ts'

/** What stands under `providers.<name>` for `type: jwt`. There is no upstream to be told of. */
export const settings = z.strictObject({
  type: z.literal('jwt'),
  algorithm: z.enum(['ES256', 'EdDSA']).default('ES256'),
})
export type Settings = z.infer<typeof settings>

/** Longer, an introspection answer would outlive most tokens. */
const MAX_CACHE_SECONDS = 300

const audience = z
  .string()
  .max(256)
  .regex(/^[\x21-\x7e]+$/, 'must be the name or address the API knows itself by')

const cache = z
  .string()
  .transform((text) => parseDuration(text) ?? -1)
  .pipe(z.number().int().min(0).max(MAX_CACHE_SECONDS, `must be at most ${MAX_CACHE_SECONDS}s`))

/**
 * One API. `introspect: required` says that it asks Mayfly about every token before it serves;
 * an API that only checks signatures honours a token until it expires.
 */
export const target = z
  .strictObject({
    audience: z.union([audience, z.array(audience).min(1).max(5)]),
    introspect: z.literal('required').optional(),
    /** How long the API keeps an answer of introspection; absent: not at all. */
    introspect_cache: cache.optional(),
    /** What the API gives out that outlives a token: a session, a download link. */
    residuals: z
      .array(z.string().regex(/^[a-z0-9-]{1,63}$/))
      .max(10)
      .default([]),
  })
  .refine((one) => one.introspect_cache === undefined || one.introspect === 'required', {
    path: ['introspect_cache'],
    error: 'goes with introspect: required',
  })
export type Target = z.infer<typeof target>

export function audiencesOf({ audience }: Target): readonly string[] {
  return typeof audience === 'string' ? [audience] : audience
}
