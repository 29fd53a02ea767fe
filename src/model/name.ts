import { z } from 'zod'

/** A name given in the configuration: it travels in paths, tags and upstream names. */
export const configuredName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/, 'must be 1 to 63 of a-z 0-9 . _ -')
