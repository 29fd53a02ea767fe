import type { z } from 'zod'

/**
 * Types a schema's optional fields as absent rather than `undefined`, which parsed JSON and YAML
 * cannot hold. (zod's own `exactOptional` says the same, but the OpenAPI generator then lists the
 * field as required.)
 */
export function withoutUndefined<T>(schema: z.ZodType): z.ZodType<T> {
  // The parsed value differs from T only in fields that could be undefined, and never are.
  return schema as z.ZodType<T>
}
