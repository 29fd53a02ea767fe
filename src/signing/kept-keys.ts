import { generateKeyPairSync } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import { z } from 'zod'
import { MayflyError } from '../errors.ts'
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
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
  try {
    return schema.parse(JSON.parse(text)).keys
  } catch {
    throw new MayflyError('config_invalid', `keys.dir: ${path} is damaged; remove it`)
  }
}

/** Replaces the kept keys as a whole, readable for their owner alone; durable when it returns. */
export function writeKeys(dir: string, keys: readonly SigningKey[]): void {
  const path = join(dir, FILE)
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
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
  const directory = openSync(dir, 'r')
  fsyncSync(directory)
  closeSync(directory)
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
