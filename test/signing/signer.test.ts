import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { expect, it, onTestFinished } from 'vitest'
import { steadyClock } from '../../src/clock.ts'
import { KEY_LIFE_MS, PUBLISHED_AFTER_MS, PUBLISHED_AHEAD_MS } from '../../src/signing/key-ring.ts'
import { createSigner, type Signer } from '../../src/signing/signer.ts'
import { ManualTime } from '../fixture/time.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

function ring() {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-keys-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const time = new ManualTime()
  const clock = steadyClock(time, 0)
  const open = () => createSigner({ keysDir: join(dir, 'keys'), clock })
  return { file: join(dir, 'keys', 'token-signing.json'), time, clock, open }
}

async function sign(signer: Signer, now: number, alg: 'ES256' | 'EdDSA' = 'ES256') {
  const iat = Math.floor(now / 1_000)
  const claims = { iss: 'me', jti: 'one', iat, exp: iat + 300 }
  return (await signer.sign({ alg, typ: 'at+jwt', claims })).reveal()
}

it('keys are made on first use, for their owner alone, and kept', async () => {
  const { file, clock, open } = ring()
  const first = open()
  expect(first.jwks()).toEqual({ keys: [] })
  expect(existsSync(file)).toBe(false)
  const token = await sign(first, clock.now())
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const second = open()
  expect(second.jwks()).toEqual(first.jwks())
  expect(await second.verify(token, 'at+jwt')).toMatchObject({ jti: 'one' })
})

it('P2: what is published holds nothing of the private key', async () => {
  const { file, clock, open } = ring()
  const signer = open()
  for (const alg of ['ES256', 'EdDSA'] as const) await sign(signer, clock.now(), alg)
  const kept = JSON.parse(readFileSync(file, 'utf8')).keys
  const published = JSON.stringify(signer.jwks())
  expect(kept.map(({ alg }: { alg: string }) => alg)).toEqual(['ES256', 'EdDSA'])
  for (const { jwk } of kept) expect(published).not.toContain(jwk.d)
  expect(signer.jwks().keys).toMatchObject([
    { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' },
    { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' },
  ])
})

it('a successor is published before it signs, and its predecessor as long as anyone may need it', async () => {
  const { time, clock, open } = ring()
  const signer = open()
  const kidOf = async () => decodeProtectedHeader(await sign(signer, clock.now())).kid
  const published = () => signer.jwks().keys.map(({ kid }) => kid)
  const first = await kidOf()
  await time.advance(KEY_LIFE_MS - PUBLISHED_AHEAD_MS)
  expect(await kidOf()).toBe(first)
  const [, next] = published()
  expect(published()).toEqual([first, next])
  await time.advance(PUBLISHED_AHEAD_MS - MINUTE_MS)
  expect(await kidOf()).toBe(first)
  const last = await sign(signer, clock.now())
  await time.advance(MINUTE_MS)
  expect(await kidOf()).toBe(next)
  const keys = createLocalJWKSet({ keys: [...signer.jwks().keys] })
  const currentDate = new Date(clock.now())
  await expect(jwtVerify(last, keys, { currentDate })).resolves.toBeDefined()
  expect(await open().verify(last, 'at+jwt')).toBeDefined()
  await time.advance(PUBLISHED_AFTER_MS)
  expect(published()).toEqual([next])
})

it('a broker that slept over its rotation still publishes before it signs', async () => {
  const { time, clock, open } = ring()
  const before = open()
  const first = decodeProtectedHeader(await sign(before, clock.now())).kid
  await time.advance(90 * DAY_MS)
  const after = open()
  expect(decodeProtectedHeader(await sign(after, clock.now())).kid).toBe(first)
  expect(after.jwks().keys).toHaveLength(2)
})

it('many that ask at once get one successor', async () => {
  const { clock, open } = ring()
  const signer = open()
  const tokens = await Promise.all(Array.from({ length: 20 }, () => sign(signer, clock.now())))
  expect(new Set(tokens.map((token) => decodeProtectedHeader(token).kid)).size).toBe(1)
  expect(signer.jwks().keys).toHaveLength(1)
})

it('P3: a damaged file is refused, not replaced: its tokens would die unseen', () => {
  const { file, open } = ring()
  void open()
  for (const text of ['', '{', '{"version":1,"keys":[{}]}', '{"version":2,"keys":[]}']) {
    const dir = join(file, '..')
    rmSync(dir, { recursive: true, force: true })
    mkdirSync(dir)
    writeFileSync(file, text)
    expect(open).toThrow('is damaged; remove it')
  }
})
