import { constants, createHmac, KeyObject, sign } from 'node:crypto'
import type { SigningKey } from './issuer-server.ts'

/** A token from texts exactly as given, so that a parser's every habit can be tried. */
export function rawToken(header: string, payload: string, key: SigningKey): string {
  const input = `${base64url(header)}.${base64url(payload)}`
  return `${input}.${signature(input, key).toString('base64url')}`
}

/** The header an honest issuer would write. */
export function headerOf({ alg, kid }: SigningKey): string {
  return JSON.stringify({ alg, kid })
}

export function macToken(header: object, payload: object, secret: string | Buffer): string {
  const hash = `sha${JSON.stringify(header).match(/HS(\d+)/i)?.[1] ?? '256'}`
  const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(payload))}`
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`
}

export function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}

function signature(input: string, { alg, privateKey }: SigningKey): Buffer {
  const key = KeyObject.from(privateKey)
  const data = Buffer.from(input)
  if (alg === 'EdDSA' || alg === 'Ed25519') return sign(null, data, key)
  const hash = `sha${alg.slice(2)}`
  if (alg.startsWith('ES')) return sign(hash, data, { key, dsaEncoding: 'ieee-p1363' })
  if (alg.startsWith('RS')) return sign(hash, data, key)
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return sign(hash, data, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST })
}
