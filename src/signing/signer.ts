import { type CryptoKey, importJWK, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import type { Clock } from '../clock.ts'
import { Secret } from '../secret.ts'
import { newSigningKey, readKeys, writeKeys } from './kept-keys.ts'
import {
  needsSuccessor,
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
  type SigningKey,
  signingKey,
  stillPublished,
} from './key-ring.ts'
import { type ReceiptKeys, receiptKeys } from './receipt-keys.ts'

/** No token of ours is longer; whatever is, is none. */
const MAX_TOKEN = 16_384

/** The keys with which the broker speaks in its own name, and what they signed. */
export interface Signer {
  /** Makes sure that there is a published key of this kind. */
  prepare(alg: SigningAlgorithm): Promise<void>
  sign(order: {
    readonly alg: SigningAlgorithm
    readonly typ: string
    readonly claims: JWTPayload
  }): Promise<Secret>
  /** The claims of a token of ours of this `typ` that has not expired; undefined for any other text. */
  verify(token: string, typ: string): Promise<JWTPayload | undefined>
  /** The public keys, as RFC 7517 §5 says. */
  jwks(): { readonly keys: readonly PublicKey[] }
  readonly receipts: ReceiptKeys
}

/** A public key of ours as RFC 7517 §4 writes it. */
export interface PublicKey {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y?: string
  readonly kid: string
  readonly alg: SigningAlgorithm
  readonly use: 'sig'
}

/**
 * Signs with keys kept in `keysDir`, made on first use. A key signs for 30 days; its successor is
 * published a day before it takes over, and it stays published for a day after. Throws
 * `config_invalid` where the kept keys cannot be read.
 */
export function createSigner({ keysDir, clock }: { keysDir: string; clock: Clock }): Signer {
  let keys = readKeys(keysDir)
  const receipts = receiptKeys({ keysDir, clock })
  let renewing: Promise<void> | undefined
  // By key and half of it: reading one costs as much as a signature.
  const read = new Map<string, Promise<CryptoKey | Uint8Array>>()
  const keyFor = (key: SigningKey, half: 'private' | 'public') => {
    const name = `${half} ${key.kid}`
    const known =
      read.get(name) ?? importJWK(half === 'public' ? publicPart(key) : key.jwk, key.alg)
    read.set(name, known)
    return known
  }

  const renew = async (alg: SigningAlgorithm) => {
    while (renewing !== undefined) await renewing
    if (!needsSuccessor(keys, alg, clock.now())) return
    renewing = (async () => {
      const next = [...keys, await newSigningKey(alg, clock.now())]
      writeKeys(keysDir, stillPublished(next, clock.now()))
      keys = stillPublished(next, clock.now())
    })()
    await renewing.finally(() => {
      renewing = undefined
    })
  }

  return {
    prepare: renew,
    async sign({ alg, typ, claims }) {
      if (needsSuccessor(keys, alg, clock.now())) await renew(alg)
      const key = signingKey(keys, alg, clock.now())
      if (key === undefined) throw new Error(`there is no key to sign with ${alg}`)
      const header = { alg, typ, kid: key.kid }
      const signed = new SignJWT(claims).setProtectedHeader(header)
      return new Secret(await signed.sign(await keyFor(key, 'private')))
    },
    async verify(token, typ) {
      if (token.length > MAX_TOKEN) return undefined
      try {
        const { payload } = await jwtVerify(
          token,
          async ({ kid, alg }) => {
            const key = keys.find((one) => one.kid === kid && one.alg === alg)
            if (key === undefined) throw new Error('none of our keys')
            return await keyFor(key, 'public')
          },
          {
            algorithms: [...SIGNING_ALGORITHMS],
            typ,
            currentDate: new Date(clock.now()),
            requiredClaims: ['iss', 'exp', 'iat', 'jti'],
          },
        )
        return payload
      } catch {
        return undefined
      }
    },
    jwks: () => ({ keys: stillPublished(keys, clock.now()).map(publicPart) }),
    receipts,
  }
}

function publicPart({ kid, alg, jwk }: SigningKey): PublicKey {
  const { kty = '', crv = '', x = '', y } = jwk
  return { kty, crv, x, ...(y === undefined ? {} : { y }), kid, alg, use: 'sig' }
}
