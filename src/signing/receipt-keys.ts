import { join } from 'node:path'
import { importJWK, SignJWT } from 'jose'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { MayflyError } from '../errors.ts'
import { withoutUndefined } from '../model/optional.ts'
import {
  RECEIPT_TYPE,
  type ReceiptClaims,
  type ReceiptKeyWire,
  type ReceiptWire,
} from '../model/receipt.ts'
import { readIfThere, writeDurably } from './durable-file.ts'
import { newSigningKey } from './kept-keys.ts'

const FILE = 'receipt-signing.json'
/** A thief of the file can date receipts back no further than this. */
const KEY_LIFE_MS = 90 * 86_400_000

const part = z.string().min(1)
const schema = z.strictObject({
  version: z.literal(1),
  keys: z.array(
    z.strictObject({
      kid: part,
      created_at: z.iso.datetime(),
      /** From then on its private part is gone. */
      retired_at: z.iso.datetime().optional(),
      jwk: withoutUndefined<{ kty: 'EC'; crv: 'P-256'; x: string; y: string; d?: string }>(
        z.strictObject({
          kty: z.literal('EC'),
          crv: z.literal('P-256'),
          ...{ x: part, y: part, d: part.optional() },
        }),
      ),
    }),
  ),
})
type ReceiptKey = z.infer<typeof schema>['keys'][number]

/** A receipt before it bears a date; distributed over its kinds. */
export type Stated = ReceiptClaims extends infer Kind
  ? Kind extends unknown
    ? Omit<Kind, 'iat'>
    : never
  : never

/**
 * The keys that sign receipts, and nothing else: whoever accepts access tokens never sees them in a
 * key set. Kept in `<keysDir>/receipt-signing.json`, made when the first receipt is asked for. A
 * key signs for 90 days; then its private part is destroyed and its public part stays published for
 * ever, so that a receipt can be verified as long as anybody keeps it.
 */
export interface ReceiptKeys {
  /** Dates and signs what is stated. */
  sign(stated: Stated): Promise<ReceiptWire>
  /** Every key that ever signed (RFC 7517 §5). */
  jwks(): { readonly keys: readonly ReceiptKeyWire[] }
}

/** Throws `config_invalid` where the kept keys cannot be read. */
export function receiptKeys({ keysDir, clock }: { keysDir: string; clock: Clock }): ReceiptKeys {
  let keys = readKeys(keysDir)
  let current: Promise<ReceiptKey> | undefined

  const renewed = async (): Promise<ReceiptKey> => {
    const now = clock.now()
    const { kid, jwk } = await newSigningKey('ES256', now)
    const { x = '', y = '', d = '' } = jwk
    const at = new Date(now).toISOString()
    const next = { kid, created_at: at, jwk: { kty: 'EC', crv: 'P-256', x, y, d } } as const
    const all = [...keys.map((key) => retired(key, at)), next]
    writeDurably(keysDir, FILE, JSON.stringify({ version: 1, keys: all }, null, 2))
    keys = all
    return next
  }
  const signingKey = (): Promise<ReceiptKey> => {
    const newest = keys.at(-1)
    const fresh = newest && Date.parse(newest.created_at) + KEY_LIFE_MS > clock.now()
    if (fresh && newest.jwk.d !== undefined) return Promise.resolve(newest)
    current ??= renewed().finally(() => {
      current = undefined
    })
    return current
  }

  return {
    async sign(stated) {
      const { kid, jwk } = await signingKey()
      // Dated only now, so that no receipt is older than the key it is signed with.
      const iat = Math.floor(clock.now() / 1000)
      const claims = { ...stated, iat } as ReceiptClaims // what `Stated` leaves out, put back
      const header = { alg: 'ES256', typ: RECEIPT_TYPE, kid }
      const signed = new SignJWT({ ...claims }).setProtectedHeader(header)
      return { jws: await signed.sign(await importJWK(jwk, 'ES256')), claims }
    },
    jwks: () => ({ keys: keys.map(published) }),
  }
}

function readKeys(dir: string): readonly ReceiptKey[] {
  const path = join(dir, FILE)
  const text = readIfThere(path)
  if (text === undefined) return []
  try {
    return schema.parse(JSON.parse(text)).keys
  } catch {
    throw new MayflyError(
      'config_invalid',
      `keys.dir: ${path} is damaged; put back a copy, or remove it: what it signed can then only be verified with a saved key set`,
    )
  }
}

function retired(key: ReceiptKey, at: string): ReceiptKey {
  const { d: _destroyed, ...jwk } = key.jwk
  return { ...key, retired_at: key.retired_at ?? at, jwk }
}

function published({ kid, created_at, retired_at, jwk }: ReceiptKey): ReceiptKeyWire {
  const { kty, crv, x, y } = jwk
  const exp = retired_at === undefined ? {} : { exp: Math.ceil(Date.parse(retired_at) / 1000) }
  const iat = Math.floor(Date.parse(created_at) / 1000)
  return { kty, crv, x, y, kid, alg: 'ES256', use: 'sig', iat, ...exp }
}
