import { describe, expect, it } from 'vitest'
import { documentText } from '../../../providers/aws-sts/deny-documents.ts'
import { awsSts } from '../../../providers/aws-sts/index.ts'
import { type AwsBench, awsBench } from './bench.ts'

const PROBE = 'sts:GetAccessKeyInfo'
/** Nothing listens there. */
const NOBODY = 'http://127.0.0.1:9'

describe('what doctor is told of proofs', () => {
  it('says that ends can be proved, and where STS answers', async () => {
    await using bench = await awsBench({ allowed: ['s3:*', PROBE] })
    const findings = await look(bench, { 'eu-west-1': bench.sandbox.endpoint })
    expect(findings).toContain('ok: STS answers in us-east-1')
    expect(findings).toContain('ok: STS answers in eu-west-1')
    const able = `ok: ends on ${bench.roleArn} can be proved: it allows ${PROBE}`
    expect(findings).toContain(able)
    expect(findings.filter((one) => one.startsWith('blocking'))).toEqual([])
  })

  it('warns of a role that does not allow the probe and of a region that cannot be asked', async () => {
    await using bench = await awsBench()
    const findings = await look(bench, { 'eu-west-1': NOBODY })
    const unable = `warning: no end on ${bench.roleArn} can be proved: it does not allow ${PROBE}`
    expect(findings).toContain(unable)
    expect(findings.join()).toContain(
      'warning: no end can be proved while STS in eu-west-1 cannot be asked',
    )
    expect(findings.filter((one) => one.startsWith('blocking'))).toEqual([])
  })

  it('asks nothing of that where nothing is to be proved', async () => {
    await using bench = await awsBench()
    const findings = await bench.provider().check()
    expect(findings.filter(({ what }) => what.includes('proved'))).toEqual([])
  })
})

it('doctor warns of a role on which another installation ends leases, too', async () => {
  const theirs = documentText({ names: ['mf-aaaaaaaaaaaaaaaaaaaa'] })
  await using bench = await awsBench({ inline: { 'mayfly-other-0-e1': theirs } })
  expect(await bench.provider().check()).toContainEqual(
    expect.objectContaining({
      level: 'warning',
      what: expect.stringContaining('another installation ends leases on'),
    }),
  )
  await using alone = await awsBench({ inline: { 'mayfly-acme-0-e1': theirs } })
  const findings = await alone.provider().check()
  expect(findings.filter(({ what }) => what.includes('another installation'))).toEqual([])
})

it('P16: refuses a proof that leaves its own region out, names one twice or an endpoint of none', () => {
  const parse = (proof: object) => {
    const read = awsSts.settings.safeParse({ type: 'aws-sts', region: 'us-east-1', proof })
    return read.success ? 'ok' : read.error.issues.map(({ path }) => path.join('.')).join()
  }
  expect(parse({ regions: ['us-east-1', 'eu-west-1'] })).toBe('ok')
  expect(parse({ regions: ['eu-west-1'] })).toBe('proof.regions')
  expect(parse({ regions: [] })).toContain('proof.regions')
  expect(parse({ regions: ['us-east-1', 'us-east-1'] })).toContain('proof.regions')
  const endpoints = { 'eu-west-1': 'https://sts.example.com' }
  expect(parse({ regions: ['us-east-1'], endpoints })).toBe('proof.endpoints')
  expect(parse({ regions: ['us-east-1'], action: 'sts:GetCallerIdentity' })).toContain('proof')
})

async function look(bench: AwsBench, endpoints: Record<string, string>): Promise<string[]> {
  const proof = { regions: [bench.sandbox.region, ...Object.keys(endpoints)], endpoints }
  const findings = await bench.provider({ settings: { proof } }).check()
  return findings.map(({ level, what }) => `${level}: ${what}`)
}
