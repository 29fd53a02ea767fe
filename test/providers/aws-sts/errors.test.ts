import { describe, expect, it } from 'vitest'
import { upstreamError } from '../../../providers/aws-sts/errors.ts'

const answered = (name: string, httpStatusCode: number) =>
  Object.assign(new Error('with a secret'), { name, $metadata: { httpStatusCode } })

describe('a failure of AWS', () => {
  it.each([
    ['AssumeRole', 'MaxSessionDuration'],
    ['PutRolePolicy', 'not as AWS takes it'],
  ])('ValidationError of %s says what to do about that call', (operation, advice) => {
    const { outcome, message } = upstreamError(answered('ValidationError', 400), operation)
    expect([outcome, message]).toEqual(['refused', expect.stringContaining(advice)])
    expect(message).not.toContain('secret')
  })

  it('P1: is of unknown outcome unless the answer proves that nothing happened', () => {
    for (const error of [answered('AccessDenied', 500), answered('Odd', 400), new Error('x'), 1]) {
      expect(upstreamError(error, 'AssumeRole').outcome).toBe('unknown')
    }
  })
})
