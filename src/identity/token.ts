import { hiddenCharacter } from '../model/text.ts'
import { hasUniqueKeys } from '../model/unique-keys.ts'

/** Larger than any real workload token; checked before anything is decoded. */
const MAX_TOKEN_BYTES = 16 * 1024

/** Longer than any real key id. */
const MAX_KID = 512

/** Headers that bring their own key, change the format, or must be understood: none is. */
const REFUSED_HEADERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc', 'cty', 'epk']

/** What a token says of itself before anything of it is believed. */
export interface UnverifiedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
}

/**
 * Reads a compact JWS far enough to choose the issuer, refusing every form Mayfly does not accept.
 * Returns the reason instead where it is refused; nothing here is verified yet.
 */
export function readToken(token: string): UnverifiedToken | string {
  const read = readCompact(token, MAX_TOKEN_BYTES)
  if (typeof read === 'string') return read
  const refused = REFUSED_HEADERS.find((name) => Object.hasOwn(read.header, name))
  if (refused !== undefined) return `header "${refused}" is not accepted`
  return isKeyId(read.header.kid) ? read : 'header "kid" is not a name'
}

/** Any compact JWS of at most `maxBytes`, whatever its header says; or why it is none. */
export function readCompact(token: string, maxBytes: number): UnverifiedToken | string {
  if (token.length > maxBytes) return `larger than ${maxBytes} bytes`
  const parts = token.split('.')
  if (parts.length === 5) return 'encrypted tokens are not accepted'
  const [head, body, signature] = parts
  if (parts.length !== 3 || !head || !body || signature === undefined) return 'not a compact JWS'
  if (!parts.every(isBase64url)) return 'not base64url'
  const header = readObject(head)
  if (typeof header === 'string') return `header ${header}`
  const payload = readObject(body)
  if (typeof payload === 'string') return `payload ${payload}`
  if (signature === '') return 'not signed'
  return { header, payload }
}

/** Also refuses stray bits at the end, which would make two texts of one token. */
function isBase64url(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}

function isKeyId(kid: unknown): boolean {
  if (kid === undefined) return true
  const short = typeof kid === 'string' && kid !== '' && kid.length <= MAX_KID
  return short && hiddenCharacter(kid) === undefined
}

function readObject(part: string): Record<string, unknown> | string {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(part, 'base64url'),
    )
    value = JSON.parse(text)
  } catch {
    return 'is not JSON'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is not an object'
  if (!hasUniqueKeys(text, value)) return 'says a key twice'
  // A JSON value that is an object and no array.
  return value as Record<string, unknown>
}
