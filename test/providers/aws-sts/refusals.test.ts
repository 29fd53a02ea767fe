import { expect, it } from 'vitest'
import {
  documentText,
  entriesWithin,
  ROLE_INLINE_CHARACTERS,
} from '../../../providers/aws-sts/deny-documents.ts'
import { Refusals } from '../../../providers/aws-sts/refusals.ts'
import { EMPTY_SURVEY, surveyOf } from '../../../providers/aws-sts/role-survey.ts'
import { SKEW_MS } from '../../../src/model/lifetime.ts'
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

it('P6: what other tags refuse is needless in an earlier document only once those have settled', async () => {
  await using bench = await awsBench()
  const issued = (agent: string, at: number) => {
    const end = bench.endOf(bench.order({ agent }))
    const nativeExpiresAt = end.latestPossibleExpiry - SKEW_MS
    return { ...end, handle: { issued_at: at }, nativeExpiresAt }
  }
  const now = Math.floor(Date.now() / 1_000) * 1_000
  const denial = (agent: string) => ({
    tags: { agent, tenant: 'support' },
    before: now,
    until: now,
  })
  const [writer, reader] = [issued('writer', now - 60_000), issued('reader', now - 60_000)]
  const text = documentText({ names: [reader.upstreamName] })
  const [found] = surveyOf([{ name: 'mayfly-acme-1-e1', text }], {
    installation: 'acme',
    writer: { epoch: 1, shard: 0 },
    isWritten: () => false,
  }).earlier
  const survey = { ...EMPTY_SURVEY, earlier: found ? [found] : [] }
  const refusals = new Refusals()
  refusals.adopt(survey, { now, surely: now, sessionMs: 3_600_000, latestExpiry: () => undefined })
  refusals.listByTags(denial('reader'), [], survey)
  refusals.listByTags(denial('writer'), [writer, reader], survey)
  const settled = (agent: string) => ({ names: new Set<string>(), tags: [denial(agent)] })
  expect(refusals.makesNeedless(text, settled('writer'))).toBe(false)
  expect(refusals.makesNeedless(text, settled('reader'))).toBe(true)
})

it('P6: where room is short, nothing is left to a document that may drop it at the same moment', async () => {
  await using bench = await awsBench()
  const { upstreamName } = bench.order()
  const names = new Set([upstreamName])
  const stands = { names, tags: [] }
  for (const isWritten of [false, true]) {
    const survey = surveyOf(
      [{ name: 'mayfly-acme-1000-e1', text: documentText({ names: [upstreamName] }) }],
      { installation: 'acme', writer: { epoch: 1, shard: 0 }, isWritten: () => isWritten },
    )
    const refusals = new Refusals()
    const life = { now: 0, surely: 0, sessionMs: 3_600_000, latestExpiry: () => undefined }
    refusals.adopt(survey, life)
    const othersCharacters = ROLE_INLINE_CHARACTERS - 2 * documentText({ names: [] }).length - 40
    const full = refusals.document({ ...survey, othersCharacters }, { stands })
    expect(full?.names).toEqual(isWritten ? undefined : [])
  }
})
