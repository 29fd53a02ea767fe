import type { Context } from 'hono'
import { MayflyError } from '../errors.ts'
import { rawBody } from './body.ts'

/** More than any OAuth request has. */
const MAX_PARAMETERS = 64
/** RFC 8693 §2.1: these alone may come several times. */
const REPEATABLE = new Set(['resource', 'audience'])

/** The parameters of one request, by name. One without a value is absent (RFC 6749 §3.2). */
export interface Form {
  one(name: string): string | undefined
  /** Refuses with `invalid_request` where it is absent. */
  required(name: string): string
  all(name: string): readonly string[]
}

/**
 * A body as OAuth sends it: said to be `application/x-www-form-urlencoded`, well encoded UTF-8, no
 * parameter twice. Parameters that nobody asks for are ignored, as RFC 6749 §3.2 demands.
 */
export async function formBody(c: Context): Promise<Form> {
  const bytes = await rawBody(c)
  if (!isForm(c.req.header('content-type'))) {
    throw new MayflyError(
      'unsupported_media_type',
      'the body must be application/x-www-form-urlencoded',
    )
  }
  return parseForm(bytes)
}

/** Pure; throws `invalid_request`. */
export function parseForm(bytes: Uint8Array): Form {
  const values = new Map<string, string[]>()
  const pairs = decoded(bytes)
    .split('&')
    .filter((pair) => pair !== '')
  if (pairs.length > MAX_PARAMETERS) throw malformed('has too many parameters')
  for (const pair of pairs) {
    const at = pair.includes('=') ? pair.indexOf('=') : pair.length
    const name = percentDecoded(pair.slice(0, at))
    const value = percentDecoded(pair.slice(at + 1))
    const before = values.get(name) ?? []
    if (before.length > 0 && !REPEATABLE.has(name)) {
      throw malformed('must not say a parameter twice')
    }
    values.set(name, [...before, value])
  }
  const all = (name: string) => (values.get(name) ?? []).filter((value) => value !== '')
  return {
    all,
    one: (name) => all(name)[0],
    required(name) {
      const [value] = all(name)
      if (value === undefined) throw malformed(`must have "${name}"`)
      return value
    },
  }
}

function isForm(type: string | undefined): boolean {
  return type !== undefined && /^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw malformed('must be UTF-8')
  }
}

/** Strict, unlike URLSearchParams: `%zz` and what is no UTF-8 are refused, not kept or replaced. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw malformed('is not well encoded')
  }
}

function malformed(message: string): MayflyError {
  return new MayflyError('invalid_request', `the body ${message}`)
}
