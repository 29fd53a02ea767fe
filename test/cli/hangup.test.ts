import { expect, it } from 'vitest'
import { reloadOnHangup } from '../../src/cli/hangup.ts'
import { MayflyError } from '../../src/errors.ts'

async function said(reload: Parameters<typeof reloadOnHangup>[0]): Promise<string> {
  let text = ''
  reloadOnHangup(reload, { write: (more) => (text += more) })()
  await new Promise((done) => setImmediate(done))
  return text
}

it('P16: a refused reload says every problem', async () => {
  const problems = [
    { path: 'agents[0].id', message: 'is required' },
    { path: 'limits.x', message: 'unknown field' },
  ]
  const text = await said(() =>
    Promise.reject(new MayflyError('config_invalid', 'nothing changed', { problems })),
  )
  for (const { path, message } of problems) expect(text).toContain(`${path}: ${message}`)
})

it('P16: a reload that waits says how to confirm it', async () => {
  const text = await said(async () => ({
    applied: false,
    changes: [],
    would_end: 7,
    confirm: 'abc',
  }))
  expect(text).toContain('mayfly reload --confirm abc')
})

it('a reload that was applied needs no words beyond the log', async () => {
  expect(await said(async () => ({ applied: true, changes: [], would_end: 0 }))).toBe('')
})
