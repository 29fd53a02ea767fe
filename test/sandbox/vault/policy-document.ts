/**
 * Parses a policy document as Vault does: the HCL subset policies are written in, or JSON.
 * Source: the rules of `vault/policy.go` in OpenBao, restated.
 */
import { VaultRefusal } from './exchange.ts'

export interface PathRule {
  /** As written, without a leading slash; `+` and a trailing `*` keep their meaning. */
  readonly path: string
  readonly capabilities: ReadonlySet<string>
  readonly allowed: ReadonlyMap<string, readonly unknown[]>
  readonly denied: ReadonlyMap<string, readonly unknown[]>
  readonly required: readonly string[]
}

const CAPABILITIES = new Set([
  'create',
  'read',
  'update',
  'delete',
  'list',
  'sudo',
  'deny',
  'patch',
  'scan',
])
const PATH_KEYS = new Set([
  'comment',
  'capabilities',
  'allowed_parameters',
  'denied_parameters',
  'required_parameters',
])

export function parsePolicy(source: string): readonly PathRule[] {
  const trimmed = source.trim()
  const blocks = trimmed.startsWith('{') ? fromJson(trimmed) : new HclReader(source).document()
  return blocks.map(([path, body]) => rule(path, body))
}

type Body = Readonly<Record<string, unknown>>

function rule(rawPath: string, body: Body): PathRule {
  const path = rawPath.replace(/^\//, '')
  if (path.includes('+*')) {
    throw invalid(`path "${path}": invalid use of wildcards ('+*' is forbidden)`)
  }
  for (const key of Object.keys(body)) {
    if (!PATH_KEYS.has(key)) throw invalid(`path "${path}": invalid key "${key}"`)
  }
  const capabilities = list(body.capabilities).map(String)
  for (const capability of capabilities) {
    if (!CAPABILITIES.has(capability)) {
      throw invalid(`path "${path}": invalid capability "${capability}"`)
    }
  }
  return {
    path,
    capabilities: new Set(capabilities.includes('deny') ? ['deny'] : capabilities),
    allowed: parameters(body.allowed_parameters),
    denied: parameters(body.denied_parameters),
    required: list(body.required_parameters).map(String),
  }
}

function parameters(value: unknown): ReadonlyMap<string, readonly unknown[]> {
  if (typeof value !== 'object' || value === null) return new Map()
  return new Map(Object.entries(value).map(([key, values]) => [key.toLowerCase(), list(values)]))
}

function list(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

function fromJson(source: string): [string, Body][] {
  let document: unknown
  try {
    document = JSON.parse(source)
  } catch {
    throw invalid('invalid JSON')
  }
  const top = asBody(document)
  for (const key of Object.keys(top)) {
    if (key !== 'path' && key !== 'name') throw invalid(`invalid key "${key}"`)
  }
  return list(top.path).flatMap((paths) =>
    Object.entries(asBody(paths)).map(([path, body]): [string, Body] => [path, asBody(body)]),
  )
}

function asBody(value: unknown): Body {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('expected an object')
  }
  // Any non-null, non-array object has string keys.
  return value as Body
}

function invalid(why: string): VaultRefusal {
  return new VaultRefusal(400, `failed to parse policy: ${why}`)
}

const TOKEN =
  /\s+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|[A-Za-z_][\w-]*|\d+|[{}[\]=,]/y

/** Reads `path "…" { key = value … }` blocks. */
class HclReader {
  readonly #tokens: string[]
  #at = 0

  constructor(source: string) {
    this.#tokens = tokens(source)
  }

  document(): [string, Body][] {
    const blocks: [string, Body][] = []
    while (this.#at < this.#tokens.length) {
      const key = this.#next()
      if (key === 'name') {
        this.#expect('=')
        this.#value()
      } else if (key === 'path') {
        const path = this.#string()
        this.#expect('{')
        blocks.push([path, this.#body()])
      } else {
        throw invalid(`invalid key "${key}"`)
      }
    }
    return blocks
  }

  #body(): Body {
    const body: Record<string, unknown> = {}
    for (;;) {
      const token = this.#next()
      if (token === '}') return body
      if (token === ',') continue
      const key = token.startsWith('"') ? unquote(token) : token
      if (this.#tokens[this.#at] === '=') this.#at += 1
      body[key] = this.#value()
    }
  }

  #value(): unknown {
    const token = this.#next()
    if (token === '{') return this.#body()
    if (token === '[') return this.#array()
    if (token.startsWith('"')) return unquote(token)
    if (token === 'true' || token === 'false') return token === 'true'
    if (/^\d+$/.test(token)) return Number(token)
    throw invalid(`unexpected ${token}`)
  }

  #array(): unknown[] {
    const values: unknown[] = []
    for (;;) {
      if (this.#tokens[this.#at] === ']') {
        this.#at += 1
        return values
      }
      values.push(this.#value())
      if (this.#tokens[this.#at] === ',') this.#at += 1
    }
  }

  #string(): string {
    const token = this.#next()
    if (!token.startsWith('"')) throw invalid(`expected a string, found ${token}`)
    return unquote(token)
  }

  #expect(token: string): void {
    const found = this.#next()
    if (found !== token) throw invalid(`expected ${token}, found ${found}`)
  }

  #next(): string {
    const token = this.#tokens[this.#at]
    if (token === undefined) throw invalid('unexpected end of the document')
    this.#at += 1
    return token
  }
}

function tokens(source: string): string[] {
  const found: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < source.length) {
    const from = TOKEN.lastIndex
    const match = TOKEN.exec(source)
    if (!match) throw invalid(`illegal character at ${from}`)
    const token = match[0]
    if (!/^(\s|#|\/\/|\/\*)/.test(token)) found.push(token)
  }
  return found
}

function unquote(token: string): string {
  try {
    return String(JSON.parse(token))
  } catch {
    throw invalid(`illegal string ${token}`)
  }
}
