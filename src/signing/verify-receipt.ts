import { compactVerify, importJWK, type JWK } from 'jose'
import { z } from 'zod'
import { RECEIPT_TYPE, type ReceiptClaims } from '../model/receipt.ts'

const keySetSchema = z.looseObject({
  keys: z.array(
    z.looseObject({
      kid: z.string(),
      kty: z.literal('EC'),
      crv: z.literal('P-256'),
      x: z.string(),
      y: z.string(),
      iat: z.number().optional(),
      exp: z.number().optional(),
    }),
  ),
})

const claimsSchema = z
  .looseObject({
    iss: z.string(),
    sub: z.string(),
    jti: z.string(),
    iat: z.number(),
    installation: z.string(),
    as_of: z.iso.datetime(),
    lease: z.looseObject({}).optional(),
    kill: z.looseObject({}).optional(),
  })
  .refine(({ lease, kill }) => (lease === undefined) !== (kill === undefined))

export type Verified =
  | { readonly ok: true; readonly kid: string; readonly claims: ReceiptClaims }
  | { readonly ok: false; readonly why: string }

/**
 * Whether a receipt was signed by a key of this set, within the time that key signed, and not
 * changed since. Needs nothing but its arguments: no broker, no network, no clock.
 */
export async function verifyReceipt(jws: string, keySet: unknown): Promise<Verified> {
  const set = keySetSchema.safeParse(keySet)
  if (!set.success) return no('the key set is not one of receipts')
  let kid = ''
  let claims: unknown
  try {
    const verified = await compactVerify(
      jws,
      async (header) => {
        kid = header.kid ?? ''
        const [key, ...more] = set.data.keys.filter((one) => one.kid === kid)
        if (key === undefined || more.length > 0) throw new UnknownKey()
        const { kty, crv, x, y } = key
        return await importJWK({ kty, crv, x, y } as JWK, 'ES256') // the schema above
      },
      { algorithms: ['ES256'] },
    )
    if (verified.protectedHeader.typ !== RECEIPT_TYPE) return no('it is signed, but no receipt')
    claims = JSON.parse(new TextDecoder().decode(verified.payload))
  } catch (error) {
    if (error instanceof UnknownKey) return no('no key of the set signed it')
    return no('its signature does not hold: it was changed, or another key signed it')
  }
  const read = claimsSchema.safeParse(claims)
  if (!read.success) return no('it does not say what a receipt says')
  const { iat } = read.data
  const key = set.data.keys.find((one) => one.kid === kid)
  if (iat < (key?.iat ?? 0) || iat > (key?.exp ?? Number.POSITIVE_INFINITY)) {
    return no('it bears a date on which its key did not sign')
  }
  // Signed by the broker with our own `typ`: of its own type's shape, as an answer of its API is.
  return { ok: true, kid, claims: read.data as unknown as ReceiptClaims }
}

class UnknownKey extends Error {}

function no(why: string): Verified {
  return { ok: false, why }
}
