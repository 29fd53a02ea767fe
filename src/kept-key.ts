import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MayflyError } from './errors.ts'
import type { Random } from './ids.ts'

const KEY_BYTES = 32

/** The 32 bytes kept in `<dir>/<name>`, private to their user; made where there are none yet. */
export function keptKey(dir: string, name: string, random: Random): Uint8Array {
  const path = join(dir, name)
  const kept = read(path)
  if (kept !== undefined && kept.length === KEY_BYTES) return kept
  if (kept !== undefined) {
    throw new MayflyError('config_invalid', `keys.dir: ${path} is damaged; remove it`)
  }
  const key = random(KEY_BYTES)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  // Whole or not at all, also where the process dies meanwhile.
  writeFileSync(`${path}.new`, key, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
  return key
}

function read(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
