import type { X509Certificate } from 'node:crypto'

/** KeyUsage bits of the first byte (RFC 5280 §4.2.1.3). */
const BITS = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 } as const
export type KeyUse = keyof typeof BITS

const CONSTRUCTED_EXTENSIONS = 0xa3
const OCTET_STRING = 0x04
const KEY_USAGE_OID = Buffer.from([0x55, 0x1d, 0x0f])

/**
 * What a certificate's key may be used for, which node:crypto does not tell (its `keyUsage` is the
 * extended one); undefined where the certificate does not say.
 */
export function keyUses({ raw }: X509Certificate): ReadonlySet<KeyUse> | undefined {
  const toBeSigned = first(first({ tag: 0, content: raw }))
  const extensions = children(toBeSigned).find(({ tag }) => tag === CONSTRUCTED_EXTENSIONS)
  const all = extensions === undefined ? [] : children(first(extensions))
  const found = all.find((extension) => first(extension).content.equals(KEY_USAGE_OID))
  const value = found && children(found).find(({ tag }) => tag === OCTET_STRING)
  if (value === undefined) return undefined
  // A BIT STRING: how many bits at its end are unused, then the bits.
  const byte = first(value).content[1] ?? 0
  const names = Object.keys(BITS) as KeyUse[] // Object.keys forgets the names of the keys
  return new Set(names.filter((name) => (byte & BITS[name]) !== 0))
}

interface Element {
  readonly tag: number
  readonly content: Buffer
}

function first(element: Element): Element {
  return children(element)[0] ?? { tag: 0, content: Buffer.alloc(0) }
}

/** The DER values inside of one; OpenSSL has parsed them all before. */
function children({ content }: Element): Element[] {
  const found: Element[] = []
  let at = 0
  while (at + 2 <= content.length) {
    const tag = content[at] ?? 0
    const short = content[at + 1] ?? 0
    const extra = short < 0x80 ? 0 : short & 0x7f
    const length = extra === 0 ? short : content.readUIntBE(at + 2, Math.min(extra, 6))
    const from = at + 2 + extra
    found.push({ tag, content: content.subarray(from, from + length) })
    at = from + length
  }
  return found
}
