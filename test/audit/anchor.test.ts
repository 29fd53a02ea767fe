import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { appendAnchor } from '../../src/audit/anchor.ts'
import { parseAnchor } from '../../src/audit/verify.ts'

function place(): string {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-anchor-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'anchor.jsonl')
}

const line = (seq: number) => ({ seq, hash: `${seq}`.repeat(64), at: '2027-01-15T12:00:00.000Z' })

it('P12: heads are appended and never written over', async () => {
  const path = place()
  await appendAnchor(path, line(1))
  await appendAnchor(path, line(2))
  expect(parseAnchor(readFileSync(path, 'utf8'))).toEqual([line(1), line(2)])
  expect((statSync(path).mode & 0o777).toString(8)).toBe('600')
})

it('P12: a line torn by a crash does not take the next one with it', async () => {
  const path = place()
  writeFileSync(path, '')
  await appendAnchor(path, line(1))
  appendFileSync(path, '{"seq":2,"ha')
  await appendAnchor(path, line(3))
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean)
  expect(JSON.parse(lines.at(-1) ?? '')).toEqual(line(3))
  expect(() => parseAnchor(lines.join('\n'))).toThrow('anchor line 2 is not')
})
