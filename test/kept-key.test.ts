import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { keptKey } from '../src/kept-key.ts'

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-keys-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

it('P2: a key is made once, is private, and outlives a restart', () => {
  const dir = join(directory(), 'keys')
  const key = keptKey(dir, 'a.key', randomBytes)
  expect(key).toHaveLength(32)
  expect(Buffer.from(keptKey(dir, 'a.key', randomBytes))).toEqual(key)
  expect(keptKey(dir, 'b.key', randomBytes)).not.toEqual(key)
  expect(statSync(join(dir, 'a.key')).mode & 0o777).toBe(0o600)
})

it('a damaged key is refused with what to do', () => {
  const dir = directory()
  writeFileSync(join(dir, 'a.key'), 'short')
  expect(() => keptKey(dir, 'a.key', randomBytes)).toThrow(/damaged; remove it/)
})
