import type { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { type ErrorCode, MayflyError } from '../errors.ts'
import { hasUniqueKeys } from '../model/unique-keys.ts'
import type { Env } from './env.ts'
import { invalid } from './invalid.ts'

export const MAX_BODY_BYTES = 64 * 1024

/**
 * Before a JSON body is checked against its schema: not too large, said to be JSON, UTF-8, JSON, no
 * key twice in one object. An empty body is left to the schema.
 */
export const jsonBody = createMiddleware<Env>(async (c, next) => {
  await limited(c, async () => {
    await objectSaid(c)
    await next()
  })
})

/** The same with the schema, in one reading. An empty body is an empty object. */
export async function readBody<S extends z.ZodType>(c: Context, schema: S): Promise<z.output<S>> {
  let value: unknown
  await limited(c, async () => {
    value = await objectSaid(c)
  })
  const checked = schema.safeParse(value ?? {})
  if (!checked.success) throw invalid(checked.error)
  return checked.data
}

/** A body as the bytes that came, for those who verify a signature over it. */
export async function rawBody(c: Context): Promise<Uint8Array> {
  let bytes = new Uint8Array()
  await limited(c, async () => {
    bytes = new Uint8Array(await c.req.arrayBuffer())
  })
  return bytes
}

/** How `jsonBody` and the schema behind it refuse, for a route's description. */
export const BODY_REFUSALS = [
  'invalid_request',
  'payload_too_large',
  'unsupported_media_type',
] as const satisfies readonly ErrorCode[]

/** A body in a route's description, required. */
export function body<S extends z.ZodType>(schema: S) {
  return { content: { 'application/json': { schema } }, required: true } as const
}

/** The same where nothing may be sent as well. */
export function optionalBody<S extends z.ZodType>(schema: S) {
  return { content: { 'application/json': { schema } } } as const
}

const tooLarge = () =>
  new MayflyError('payload_too_large', `the body must be at most ${MAX_BODY_BYTES} bytes`)

const limitStream = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: () => {
    throw tooLarge()
  },
})

/** The HTTP server holds a body to its content-length; only one without is counted here. */
async function limited(c: Context, next: () => Promise<void>): Promise<void> {
  const length = c.req.header('content-length')
  if (length !== undefined && c.req.header('transfer-encoding') === undefined) {
    if (Number(length) > MAX_BODY_BYTES) throw tooLarge()
    return await next()
  }
  await limitStream(c, next)
}

function isJson(type: string | undefined): boolean {
  return type !== undefined && /^application\/json\s*(;|$)/i.test(type)
}

/** Undefined: nothing was said, of no type. */
async function objectSaid(c: Context): Promise<unknown> {
  const text = await c.req.text()
  const type = c.req.header('content-type')
  if (!isJson(type) && (type !== undefined || text !== '')) {
    throw new MayflyError('unsupported_media_type', 'the body must be application/json')
  }
  return text === '' && type === undefined ? undefined : parseObject(text)
}

function parseObject(text: string): unknown {
  // What is not UTF-8 arrives with this in its place; nobody asks for it on purpose.
  if (text.includes('\uFFFD')) throw malformed('must be UTF-8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed('must be JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('must be a JSON object')
  }
  if (!hasUniqueKeys(text, value)) throw malformed('must not say a key twice')
  if (/__proto__|\\u/.test(text) && namesPrototype(text)) throw malformed('must not name __proto__')
  return value
}

/** Schemas drop this key without a word; what was said and is not seen would widen a request. */
function namesPrototype(text: string): boolean {
  let named = false
  JSON.parse(text, (key, value) => {
    named ||= key === '__proto__'
    return value
  })
  return named
}

function malformed(message: string): MayflyError {
  return new MayflyError('invalid_request', `the body ${message}`, {
    problems: [{ path: '', message }],
  })
}
