import { expect, it } from 'vitest'
import { entriesWithin, ROLE_INLINE_CHARACTERS } from '../../../providers/aws-sts/deny-documents.ts'
import { Refusals } from '../../../providers/aws-sts/refusals.ts'
import { EMPTY_SURVEY } from '../../../providers/aws-sts/role-survey.ts'
import { awsBench } from './bench.ts'

it('P17: a canary is listed while there is room for it, and never instead of a lease', async () => {
  await using bench = await awsBench()
  const most = entriesWithin(ROLE_INLINE_CHARACTERS)
  const refusals = new Refusals()
  refusals.canary = 'mf-canary-1-mi3k2x9a'
  for (let n = 1; n <= most; n += 1) {
    const added = refusals.listIfRoom(bench.endOf(bench.order()), EMPTY_SURVEY)
    expect(added).toBe(true)
    const document = refusals.document(EMPTY_SURVEY)
    expect(document?.names).toHaveLength(n)
    expect(document?.canary).toBe(n < most ? refusals.canary : undefined)
  }
  expect(refusals.listIfRoom(bench.endOf(bench.order()), EMPTY_SURVEY)).toBe(false)
})
