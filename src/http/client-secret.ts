import type { Context } from 'hono'
import { MayflyError } from '../errors.ts'

const MAX_HEADER = 4_096

/** Name and secret of `Authorization: Basic`, each encoded as a form before (RFC 6749 §2.3.1). */
export function clientSecret(c: Context): { readonly name: string; readonly secret: string } {
  const header = c.req.header('authorization') ?? ''
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1]
  if (encoded === undefined || header.length > MAX_HEADER) throw unauthenticated()
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const at = text.indexOf(':')
  if (at <= 0) throw unauthenticated()
  try {
    const [name, secret] = [text.slice(0, at), text.slice(at + 1)].map(formDecoded)
    return { name: name ?? '', secret: secret ?? '' }
  } catch {
    throw unauthenticated()
  }
}

export function showsClientSecret(c: Context): boolean {
  return /^Basic /i.test(c.req.header('authorization') ?? '')
}

function formDecoded(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

function unauthenticated(): MayflyError {
  return new MayflyError('unauthenticated', 'send Authorization: Basic with name and secret')
}
