import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importJWK, SignJWT } from 'jose'
import { expect, it, onTestFinished } from 'vitest'
import { steadyClock } from '../../src/clock.ts'
import { type ReceiptKeys, receiptKeys } from '../../src/signing/receipt-keys.ts'
import { verifyReceipt } from '../../src/signing/verify-receipt.ts'
import { ManualTime } from '../fixture/time.ts'

const DAY_MS = 86_400_000
const LEASE = { id: 'lease_x' } as never // what it says does not matter to its keys

function ring() {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-receipts-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const time = new ManualTime()
  const clock = steadyClock(time, 0)
  const open = () => receiptKeys({ keysDir: join(dir, 'keys'), clock })
  return { file: join(dir, 'keys', 'receipt-signing.json'), time, clock, open }
}

const stated = { iss: 'me', sub: 'lease_x', jti: 'one', installation: 'here', lease: LEASE }

async function sign(keys: ReceiptKeys): Promise<string> {
  return (await keys.sign({ ...stated, as_of: '2027-01-01T00:00:00.000Z' })).jws
}

const privateParts = (file: string): unknown[] =>
  JSON.parse(readFileSync(file, 'utf8')).keys.map(({ jwk }: { jwk: { d?: string } }) => jwk.d)

it('a receipt verifies years later, with the keys of then and with those published now', async () => {
  const { time, file, open } = ring()
  const keys = open()
  const jws = await sign(keys)
  const kept = structuredClone(keys.jwks())
  expect(statSync(file).mode & 0o777).toBe(0o600)
  for (let quarter = 0; quarter < 12; quarter += 1) {
    await time.advance(91 * DAY_MS)
    await sign(open())
  }
  const now = open().jwks()
  expect(now.keys).toHaveLength(13)
  for (const set of [kept, now]) expect(await verifyReceipt(jws, set)).toMatchObject({ ok: true })
})

it('P2: a key that signs no more is destroyed', async () => {
  const { time, file, open } = ring()
  const keys = open()
  await sign(keys)
  const [first] = privateParts(file)
  await time.advance(91 * DAY_MS)
  await sign(keys)
  expect(privateParts(file)).toEqual([undefined, expect.any(String)])
  expect(readFileSync(file, 'utf8')).not.toContain(first)
})

it('many at once make one key, and it serves them all', async () => {
  const { open } = ring()
  const keys = open()
  const all = await Promise.all(Array.from({ length: 20 }, () => sign(keys)))
  expect(keys.jwks().keys).toHaveLength(1)
  for (const jws of all) expect(await verifyReceipt(jws, keys.jwks())).toMatchObject({ ok: true })
})

it('whoever steals a key can date nothing outside of the time it signed in', async () => {
  const { time, file, open } = ring()
  const keys = open()
  await sign(keys)
  const stolen = JSON.parse(readFileSync(file, 'utf8')).keys[0]
  const [published] = keys.jwks().keys
  await time.advance(91 * DAY_MS)
  await sign(keys)
  const forge = async (iat: number) =>
    await new SignJWT({ ...stated, as_of: '2027-01-01T00:00:00.000Z', iat })
      .setProtectedHeader({ alg: 'ES256', typ: 'mayfly-receipt+jwt', kid: stolen.kid })
      .sign(await importJWK(stolen.jwk, 'ES256'))
  const since = published?.iat ?? 0
  expect(await verifyReceipt(await forge(since), keys.jwks())).toMatchObject({ ok: true })
  for (const iat of [since - 1, since + (92 * DAY_MS) / 1_000]) {
    expect(await verifyReceipt(await forge(iat), keys.jwks())).toEqual({
      ok: false,
      why: 'it bears a date on which its key did not sign',
    })
  }
})

it('a file that is damaged is told, not replaced', async () => {
  const { file, open } = ring()
  await sign(open())
  writeFileSync(file, '{"version":1,"keys":[{}]}')
  expect(open).toThrow(/receipt-signing\.json is damaged/)
})
