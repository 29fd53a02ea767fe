import { expect, it } from 'vitest'
import { loggable, MayflyError } from '../src/errors.ts'

it('P2: an error in the log keeps kind and place, and nothing a library hung on it', () => {
  const library = Object.assign(new Error('401 for canary-token'), {
    code: 'ERR_BAD_REQUEST',
    config: { headers: { 'x-vault-token': 'canary-token' } },
  })
  const wrapped = new MayflyError('unavailable', 'the store could not commit', { cause: library })
  for (const error of [library, wrapped, 'canary-token']) {
    expect(JSON.stringify(loggable(error))).not.toContain('canary')
  }
  expect(loggable(library)).toMatchObject({ name: 'Error', code: 'ERR_BAD_REQUEST' })
  expect(loggable(wrapped)).toMatchObject({
    message: 'the store could not commit',
    cause: { code: 'ERR_BAD_REQUEST' },
  })
})
