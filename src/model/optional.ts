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

/** The same without fields that are there and `undefined`. */
export function withoutAbsent<T extends object>(
  value: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  // The same keys, less those whose value is undefined.
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
