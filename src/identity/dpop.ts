import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, importJWK, jwtVerify } from 'jose'
import type { Clock } from '../clock.ts'
import { type Challenge, MayflyError } from '../errors.ts'
import type { KeyName } from '../model/key.ts'
import { DPOP_ALGORITHMS, type DpopAlgorithm, readDpopKey } from './dpop-jwk.ts'
import { isNonce, nonceAt } from './dpop-nonce.ts'
import type { ShownProof } from './shown.ts'
import { readCompact } from './token.ts'
import { sameAddress } from './url.ts'

/** A proof with a key of 4096 bits stays below; checked before anything is decoded. */
const MAX_PROOF_BYTES = 4_096
const MAX_JTI = 256
/** How far a proof's `iat` may lie from now: the nonce bounds its age better, a clock may be off. */
const PROOF_WINDOW_MS = 120_000

/** The key a proof was made with, and the proof's name: whoever accepts it keeps that until then. */
export interface CheckedProof {
  readonly key: KeyName
  readonly once: { readonly id: string; readonly issuedAt: number; readonly expiresAt: number }
}

export interface Dpop {
  /** The nonce a proof must carry now. */
  nonce(): string
  /**
   * Checks a proof as RFC 9449 §4.3 and §7.1 say, but for its one-time use, which is the caller's:
   * read → key → request → nonce → signature. `unauthenticated` with a challenge otherwise.
   */
  check(shown: ShownProof, token: string): Promise<CheckedProof>
}

export function createDpop(context: {
  /** Under which others reach the broker; proofs are for addresses below it. */
  readonly publicUrl: string
  /** 32 random bytes that outlive a restart: so do nonces. */
  readonly nonceKey: Uint8Array
  readonly clock: Clock
}): Dpop {
  const { publicUrl, nonceKey, clock } = context
  return {
    nonce: () => nonceAt(nonceKey, clock.now()),
    async check(shown, token) {
      const now = clock.now()
      const { alg, jwk, claims, proof } = readProof(shown.proof)
      if (claims.htm !== shown.method) throw refused('it is for another method')
      if (!sameAddress(claims.htu, `${publicUrl}${shown.path}`)) {
        throw refused('it is for another address', { htu: claims.htu.slice(0, 200) })
      }
      if (!(claims.ath === undefined && shown.tokenInBody) && claims.ath !== sha256(token)) {
        throw refused('it is for another token')
      }
      if (claims.nonce === undefined) throw refused('it has no nonce', {}, 'use_dpop_nonce')
      if (!isNonce(nonceKey, claims.nonce, now)) {
        throw refused('its nonce is not (or no longer) ours', {}, 'use_dpop_nonce')
      }
      const at = claims.iat * 1_000
      if (Math.abs(now - at) > PROOF_WINDOW_MS) throw refused('its iat is too far from now')
      await verifySignature(proof, { alg, jwk, now })
      const thumbprint = await calculateJwkThumbprint(jwk)
      return {
        key: `jkt:${thumbprint}`,
        once: {
          id: createHash('sha256')
            .update(JSON.stringify(['dpop', thumbprint, claims.jti]))
            .digest('hex'),
          issuedAt: Math.floor(at),
          expiresAt: Math.ceil(at) + PROOF_WINDOW_MS + 1,
        },
      }
    },
  }
}

function readProof(proof: string | undefined) {
  if (proof === undefined || proof === '') throw refused('there is no DPoP header')
  const read = readCompact(proof, MAX_PROOF_BYTES)
  if (typeof read === 'string') throw refused(read)
  const { header, payload } = read
  const surplus = Object.keys(header).find((name) => !['typ', 'alg', 'jwk'].includes(name))
  if (surplus !== undefined) throw refused('its header has more than typ, alg and jwk')
  if (header.typ !== 'dpop+jwt') throw refused('its typ is not dpop+jwt')
  const alg = DPOP_ALGORITHMS.find((one) => one === header.alg)
  if (alg === undefined) throw refused('its algorithm is not accepted')
  const jwk = readDpopKey(alg, header.jwk)
  if (typeof jwk === 'string') throw refused(`its ${jwk}`)
  return { proof, alg, jwk, claims: readClaims(payload) }
}

interface ProofClaims {
  readonly jti: string
  readonly htm: string
  readonly htu: string
  readonly iat: number
  readonly ath: string | undefined
  readonly nonce: string | undefined
}

function readClaims(payload: Readonly<Record<string, unknown>>): ProofClaims {
  const { jti, htm, htu, iat, ath, nonce } = payload
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI) {
    throw refused('its jti is not a name')
  }
  if (typeof htm !== 'string' || typeof htu !== 'string') throw refused('it names no request')
  if (typeof iat !== 'number' || !Number.isFinite(iat)) throw refused('its iat is not a time')
  if (ath !== undefined && typeof ath !== 'string') throw refused('its ath is not text')
  if (nonce !== undefined && typeof nonce !== 'string') throw refused('its nonce is not text')
  return { jti, htm, htu, iat, ath, nonce }
}

async function verifySignature(
  proof: string,
  { alg, jwk, now }: { alg: DpopAlgorithm; jwk: Parameters<typeof importJWK>[0]; now: number },
): Promise<void> {
  try {
    const key = await importJWK(jwk, alg)
    await jwtVerify(proof, key, { algorithms: [alg], currentDate: new Date(now) })
  } catch (error) {
    throw refused('its signature does not hold', {}, 'invalid_dpop_proof', error)
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function refused(
  reason: string,
  detail: Record<string, unknown> = {},
  challenge: Challenge = 'invalid_dpop_proof',
  cause?: unknown,
): MayflyError {
  const nonce = challenge === 'use_dpop_nonce'
  const message = nonce
    ? 'the DPoP proof needs the nonce given here'
    : 'the DPoP proof was not accepted'
  return new MayflyError('unauthenticated', message, {
    detail: { ...detail, reason: `dpop: ${reason}` },
    challenge,
    cause,
  })
}
