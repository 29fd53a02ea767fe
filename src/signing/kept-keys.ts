import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import { z } from 'zod'
import { MayflyError } from '../errors.ts'
import { readIfThere, writeDurably } from './durable-file.ts'
import { SIGNING_ALGORITHMS, type SigningAlgorithm, type SigningKey } from './key-ring.ts'

const FILE = 'token-signing.json'

const schema = z.strictObject({
  version: z.literal(1),
  keys: z.array(
    z
      .strictObject({
        kid: z.string().min(1),
        alg: z.enum(SIGNING_ALGORITHMS),
        created_at: z.iso.datetime(),
        jwk: z.looseObject({ kty: z.enum(['EC', 'OKP']), d: z.string().min(1) }),
      })
      .transform(
        ({ kid, alg, created_at, jwk }): SigningKey => ({
          kid,
          alg,
          createdAt: Date.parse(created_at),
          jwk,
        }),
      ),
  ),
})

/** The signing keys kept in `<dir>`; none where there is no such file yet. */
export function readKeys(dir: string): readonly SigningKey[] {
  const path = join(dir, FILE)
  const text = readIfThere(path)
  if (text === undefined) return []
  try {
    return schema.parse(JSON.parse(text)).keys
  } catch {
    throw new MayflyError('config_invalid', `keys.dir: ${path} is damaged; remove it`)
  }
}

/** Replaces the kept keys as a whole, readable for their owner alone; durable when it returns. */
export function writeKeys(dir: string, keys: readonly SigningKey[]): void {
  const text = JSON.stringify(
    {
      version: 1,
      keys: keys.map(({ kid, alg, createdAt, jwk }) => ({
        ...{ kid, alg, created_at: new Date(createdAt).toISOString(), jwk },
      })),
    },
    null,
    2,
  )
  writeDurably(dir, FILE, text)
}

/** A fresh key; node's own generator draws from the same randomness of the system as `main.ts`. */
export async function newSigningKey(alg: SigningAlgorithm, createdAt: number): Promise<SigningKey> {
  const { privateKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('ed25519')
  const jwk = privateKey.export({ format: 'jwk' })
  return { kid: await calculateJwkThumbprint(jwk), alg, createdAt, jwk }
}
