import { resolve } from 'node:path'
import { z } from 'zod'
import type { Report } from './report.ts'
import { duration } from './scalar.ts'

const DEFAULT_ANCHOR_SECONDS = 60

const placesSchema = z.object({
  store: z
    .strictObject({
      url: z.string().regex(/^sqlite:.+$/, 'must be sqlite:PATH; no other store is built yet'),
    })
    .default({ url: 'sqlite:./data/mayfly.db' }),
  keys: z.strictObject({ dir: z.string().min(1) }).default({ dir: './data/keys' }),
  policies: z.string().min(1).default('./policies'),
  policies_shadow: z.string().min(1).optional(),
  audit: z
    .strictObject({
      anchor: z
        .string()
        .regex(/^file:.+$/, 'must be file:PATH')
        .optional(),
      every: duration.default(DEFAULT_ANCHOR_SECONDS),
    })
    .default({ every: DEFAULT_ANCHOR_SECONDS }),
})

/** Reads where things lie: `store`, `keys`, `policies`, `audit`; all paths become absolute. */
export function parsePlaces(report: Report, raw: Record<string, unknown>, baseDir: string) {
  // A key whose value is commented out reads as null: the same as no key.
  const given = Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== null))
  const places = report.parse(placesSchema, given, '')
  const anchor = places?.audit.anchor
  return (
    places && {
      store: resolve(baseDir, places.store.url.slice('sqlite:'.length)),
      keys: resolve(baseDir, places.keys.dir),
      policies: resolve(baseDir, places.policies),
      policiesShadow:
        places.policies_shadow === undefined ? undefined : resolve(baseDir, places.policies_shadow),
      audit: {
        everySeconds: places.audit.every,
        ...(anchor ? { anchorPath: resolve(baseDir, anchor.slice('file:'.length)) } : {}),
      },
    }
  )
}
