import { describe, expect, it } from 'vitest'
import { upstreamError } from '../../../providers/aws-sts/errors.ts'

const answered = (name: string, status: number) =>
  upstreamError(
    Object.assign(new Error('words of the upstream'), {
      name,
      $metadata: { httpStatusCode: status },
    }),
    'AssumeRole',
  )

describe('an error of an AWS client', () => {
  it('is refused only by a listed name', () => {
    expect(answered('AccessDeniedException', 403)).toMatchObject({
      outcome: 'refused',
      upstreamCode: 'AccessDenied',
    })
    expect(answered('ServiceFailureException', 500)).toMatchObject({
      outcome: 'unknown',
      upstreamCode: 'ServiceFailure',
    })
  })

  it('P2: repeats nothing that is not a name, nor any words', () => {
    for (const name of ['Svt5ccA7kQ0pYb2ZxW9uE4rT', 'hvs.CAESIJ', 'a/b+c', '']) {
      const { message, upstreamCode } = answered(name, 403)
      expect(`${message} ${upstreamCode}`).not.toContain(name === '' ? 'words' : name)
      expect(message).not.toContain('words of the upstream')
    }
  })
})
