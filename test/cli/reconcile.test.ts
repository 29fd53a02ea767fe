import { expect, onTestFinished, test } from 'vitest'
import type { ReconciliationWire } from '../../src/model/wire.ts'
import { brokerDouble, problem } from './broker-double.ts'
import { mayfly } from './run-mayfly.ts'

const LOST = {
  kind: 'containment-lost',
  what: 'service account is \u001b[31menabled',
  slot: 'agent-1@acme.iam.gserviceaccount.com',
  lease: 'lease_aaaaaaaaaaaaaaaaaaaa',
  works: true,
  repair: 'done',
  advice: 'find out who changed it',
} as const

async function run(items: readonly ReconciliationWire[], ...flags: string[]) {
  const broker = await brokerDouble({ 'POST /v1/reconcile': { items } })
  onTestFinished(() => broker.close())
  const env = { MAYFLY_URL: broker.url, MAYFLY_TOKEN: 'mfo_test' }
  return { ...(await mayfly(['reconcile', ...flags], env)), sent: broker.seen[0]?.body }
}

const seen = { provider: 'gcp', looked_at: '2027-01-15T12:00:00.000Z', items: 3 }

test('reconcile says what differs and what became of it, and is content when all is mended', async () => {
  const { code, stdout, sent } = await run([{ ...seen, findings: [LOST] }], '--provider', 'gcp')
  expect(code).toBe(0)
  expect(sent).toBe('{"provider":"gcp"}')
  expect(stdout).toContain('provider gcp: 3 things listed, 1 difference')
  expect(stdout).toContain('containment-lost  lease_aaaaaaaaaaaaaaaaaaaa  repaired')
  expect(stdout).toContain('-> find out who changed it')
  expect(stdout).not.toContain('\u001b[31m')
})

test('reconcile fails where something is left: unmended, only looked at, or not to be seen', async () => {
  const dry = await run([{ ...seen, findings: [{ ...LOST, repair: 'possible' }] }], '--dry-run')
  expect([dry.code, dry.sent]).toEqual([1, '{"dry_run":true}'])
  expect(dry.stdout).toContain('would be repaired')
  const failed = { ...LOST, repair: 'failed', error: 'a token may be alive' } as const
  const kept = await run([{ ...seen, findings: [failed] }])
  expect([kept.code, kept.stdout]).toEqual([1, expect.stringContaining('a token may be alive')])
  const away = await run([
    { provider: 'gcp', looked_at: seen.looked_at, findings: [], error: 'away' },
  ])
  expect([away.code, away.stdout]).toEqual([1, expect.stringContaining('could not be looked at')])
  expect((await run([{ ...seen, findings: [] }])).code).toBe(0)
})

test('reconcile passes on why it was refused', async () => {
  const refusal = problem(
    403,
    'forbidden',
    'no policy lets this operator administer this installation',
  )
  const broker = await brokerDouble({
    'POST /v1/reconcile': () => ({ status: 403, body: refusal }),
  })
  onTestFinished(() => broker.close())
  const env = { MAYFLY_URL: broker.url, MAYFLY_TOKEN: 'mfo_test' }
  expect(await mayfly(['reconcile'], env)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('administer'),
  })
})
