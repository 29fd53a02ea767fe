import fc from 'fast-check'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { steadyClock } from '../../src/clock.ts'
import { MayflyError } from '../../src/errors.ts'
import { createDpop } from '../../src/identity/dpop.ts'
import { readDpopKey } from '../../src/identity/dpop-jwk.ts'
import { sameAddress } from '../../src/identity/url.ts'
import { type Api, OPENING, testApi } from '../fixture/http.ts'
import { KeyHolder, type ProofOverlay, PUBLIC_URL } from '../fixture/key-holder.ts'
import { NOW, refusal } from './fixture.ts'

const LINE = 'GET /v1/tasks/x'

/** A broker and somebody with a bound task, who tries proofs of their own making on it. */
async function prover() {
  const api = await testApi()
  const holder = await KeyHolder.of(api)
  const task = await holder.open()
  const line = `GET /v1/tasks/${task.id}`
  return {
    api,
    holder,
    task,
    line,
    tried: (overlay?: ProofOverlay) => holder.tried(line, task.token, overlay),
  }
}

const seconds = (api: Api) => Math.floor(api.clock.now() / 1_000)

describe('P10: a DPoP proof', () => {
  it('P10: is for one method, one address, one token and now', async () => {
    const { api, tried, line, holder } = await prover()
    const path = line.split(' ')[1] ?? ''
    expect(await tried()).toBe('200')
    const bad: Record<string, unknown>[] = [
      { htm: 'POST' },
      { htm: 'get' },
      { htm: undefined },
      { htm: ['GET'] },
      { htu: `${PUBLIC_URL}/v1/tasks` },
      { htu: `${PUBLIC_URL}${path}/` },
      { htu: `https://127.0.0.1:8700${path}` },
      { htu: `http://localhost:8700${path}` },
      { htu: `http://127.0.0.1${path}` },
      { htu: `http://x@127.0.0.1:8700${path}` },
      { htu: path },
      { htu: undefined },
      { htu: [PUBLIC_URL + path] },
      { ath: undefined },
      { ath: 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo' },
      { ath: '' },
      { iat: seconds(api) - 121 },
      { iat: seconds(api) + 121 },
      { iat: undefined },
      { iat: String(seconds(api)) },
      { iat: -1 },
      { iat: 1e300 },
      { jti: undefined },
      { jti: '' },
      { jti: 7 },
      { jti: 'j'.repeat(257) },
      { exp: seconds(api) - 10 },
      { nbf: seconds(api) + 10 },
      { nonce: 7 },
    ]
    for (const claims of bad) {
      expect([claims, await tried({ claims })]).toEqual([claims, '401 invalid_dpop_proof'])
    }
    for (const claims of [
      { iat: seconds(api) - 119 },
      { iat: seconds(api) + 119 },
      { htu: `HTTP://127.0.0.1:8700/v1/./tasks/${path.split('/').at(-1)}?page=2#top` },
      { jti: 'j'.repeat(256) },
      { more: 'is ignored' },
    ]) {
      expect([claims, await tried({ claims })]).toEqual([claims, '200'])
    }
    expect(await holder.tried('GET /v1/tasks/other', 'mft_unknown')).toBe('401')
  })

  it('P10: must carry a nonce of ours, no older than four minutes', async () => {
    const { api, holder, task, line } = await prover()
    const used = async (nonce: unknown) =>
      (
        await holder.send(
          line,
          task.token,
          await holder.proof(line, task.token, { claims: { nonce } }),
        )
      ).headers.get('www-authenticate')
    expect(await used(undefined)).toContain('error="use_dpop_nonce"')
    expect(await used('guessed')).toContain('error="use_dpop_nonce"')
    const answer = await holder.call(line, task.token)
    const nonce = answer.headers.get('dpop-nonce')
    expect(answer.status).toBe(200)
    await api.advance(120_000)
    expect(await used(nonce)).toBeNull()
    await api.advance(120_000)
    expect(await used(nonce)).toContain('error="use_dpop_nonce"')
    const challenge = await used(undefined)
    expect(challenge).toMatch(
      /^Bearer realm="mayfly", DPoP algs="ES256 ES384 EdDSA Ed25519 PS256 RS256"/,
    )
  })

  it('P10: brings its public key in `jwk`, and no other header', async () => {
    const { holder, tried } = await prover()
    const other = await generateKeyPair('ES256', { extractable: true })
    const otherJwk = await exportJWK(other.publicKey)
    const headers: Record<string, unknown>[] = [
      { typ: 'JWT' },
      { typ: undefined },
      { jwk: undefined },
      { jwk: await holder.privateJwk },
      { jwk: { ...holder.jwk, d: '' } },
      { jwk: { kty: 'oct', k: 'AAAA' } },
      { jwk: { ...holder.jwk, crv: 'P-384' } },
      { jwk: { ...holder.jwk, x: 'AAAA' } },
      { jwk: [holder.jwk] },
      { jwk: JSON.stringify(holder.jwk) },
      { jwk: otherJwk },
      { kid: 'k' },
      { jku: 'http://127.0.0.1:1/keys' },
      { x5u: 'http://127.0.0.1:1/cert' },
      { x5c: ['AAAA'] },
      { crit: ['exp'] },
      { b64: true },
      { zip: 'DEF' },
    ]
    for (const header of headers) {
      const said = await tried({ header }).catch((error: Error) => error.message)
      expect([header, said]).not.toEqual([header, '200'])
    }
    expect(await tried({ signWith: other.privateKey })).toBe('401 invalid_dpop_proof')
    expect(await tried({ header: { jwk: { ...holder.jwk, use: 'sig', kid: 'x' } } })).toBe('200')
  })

  it.each(['none', 'HS256', 'RS512', 'ES512'])('P10: is not signed by %s', async (alg) => {
    const { api, holder, task, line } = await prover()
    const honest = await holder.proof(line, task.token)
    const [, body = '', signature = ''] = honest.split('.')
    const head = encode({ typ: 'dpop+jwt', alg, jwk: holder.jwk })
    for (const forged of [`${head}.${body}.${signature}`, `${head}.${body}.`]) {
      const { status } = await holder.send(line, task.token, forged)
      expect(status).toBe(401)
    }
    const secret = new TextEncoder().encode(JSON.stringify(holder.jwk))
    if (alg === 'HS256') {
      const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
      const confused = await new SignJWT(claims)
        .setProtectedHeader({ typ: 'dpop+jwt', alg, jwk: holder.jwk })
        .sign(secret)
      expect((await holder.send(line, task.token, confused)).status).toBe(401)
    }
    expect((await api.as('admin', 'GET /v1/signals')).body.items).toEqual([])
  })

  it('P10: comes once, in bounds, and says nothing twice', async () => {
    const { holder, task, line } = await prover()
    const honest = await holder.proof(line, task.token)
    const [head = '', body = ''] = honest.split('.')
    const twice = Buffer.from(body, 'base64url').toString().replace('{', '{"htm":"GET",')
    const bad = [
      '',
      `${honest}, ${honest}`,
      `${honest}.${honest}`,
      `${honest} `.repeat(20),
      `${head}.${Buffer.from(twice).toString('base64url')}.AAAA`,
      `${head}.${encode({ pad: 'p'.repeat(5_000) })}.AAAA`,
    ]
    for (const proof of bad) {
      expect((await holder.send(line, task.token, proof)).status).toBe(401)
    }
    expect((await holder.send(line, task.token, honest)).status).toBe(200)
  })
})

it('P10: behind a path of the public address, a proof is for the whole of it', async () => {
  const api = await testApi({
    change: (doc) => {
      doc.server = { public_url: 'https://ops.example/mayfly/' }
    },
  })
  const holder = await KeyHolder.of(api)
  const token = await api.evidence()
  const tried = async (htu: string) => {
    await holder.learnNonce()
    const proof = await holder.proof('POST /v1/tasks', token, { claims: { htu } })
    return (await holder.send('POST /v1/tasks', token, proof, { body: OPENING })).status
  }
  expect(await tried('https://ops.example/v1/tasks')).toBe(401)
  expect(await tried('https://ops.example/mayfly/v1/tasks')).toBe(201)
})

describe('the key in a proof', () => {
  it('P10: costs no more than a stranger may ask for', async () => {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true })
    const jwk = await exportJWK(publicKey)
    expect(readDpopKey('RS256', jwk)).toEqual({ kty: 'RSA', n: jwk.n, e: 'AQAB' })
    expect(readDpopKey('RS256', { ...jwk, e: jwk.n })).toMatch(/no usable e/)
    expect(readDpopKey('RS256', { ...jwk, n: 'A'.repeat(700) })).toMatch(/no usable n/)
    expect(readDpopKey('ES256', jwk)).toMatch(/not for ES256/)
  })

  it('has the thumbprint of RFC 9449 §6.1', async () => {
    const jwk = {
      kty: 'EC',
      x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
      y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
      crv: 'P-256',
    }
    const read = readDpopKey('ES256', { ...jwk, kid: 'x' })
    expect(read).toEqual(jwk)
    await importJWK(jwk, 'ES256')
    expect(await calculateJwkThumbprint(jwk)).toBe('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I')
  })
})

describe('addresses', () => {
  it.each([
    ['HTTPS://Broker.Example:443/v1/tasks', 'https://broker.example/v1/tasks', true],
    ['https://broker.example/v1/%74asks', 'https://broker.example/v1/tasks', true],
    ['https://broker.example/v1/%2ftasks', 'https://broker.example/v1/%2Ftasks', true],
    ['https://broker.example/a/../v1', 'https://broker.example/v1', true],
    ['https://broker.example/v1?x=1#y', 'https://broker.example/v1', true],
    ['https://broker.example/v1/%2ftasks', 'https://broker.example/v1//tasks', false],
    ['https://broker.example:8443/v1', 'https://broker.example/v1', false],
    ['http://broker.example/v1', 'https://broker.example/v1', false],
    ['https://broker.example/V1', 'https://broker.example/v1', false],
    ['https://u@broker.example/v1', 'https://broker.example/v1', false],
    ['javascript:1', 'javascript:1', false],
    ['', '', false],
  ])('%s and %s', (a, b, same) => {
    expect(sameAddress(a, b)).toBe(same)
    expect(sameAddress(b, a)).toBe(same)
  })
})

describe('P10: whatever comes as a proof', () => {
  const clock = steadyClock({ wall: () => NOW, monotonic: () => 0, after: () => () => {} }, 0)
  const dpop = createDpop({ publicUrl: PUBLIC_URL, nonceKey: new Uint8Array(32), clock })
  const [method = '', path = ''] = LINE.split(' ')

  async function mustRefuse(proof: string): Promise<void> {
    const outcome = await dpop.check({ proof, method, path }, 'token').then(
      () => 'accepted',
      (error: unknown) => (error instanceof MayflyError ? error.code : error),
    )
    expect(outcome).toBe('unauthenticated')
  }

  it('P10: nothing but the one refusal comes of any text', async () => {
    await fc.assert(fc.asyncProperty(fc.oneof(fc.string(), fc.base64String()), mustRefuse), {
      numRuns: 500,
    })
  })

  it('P10: nothing but the one refusal comes of any header and claims', async () => {
    const { publicKey } = await generateKeyPair('ES256', { extractable: true })
    const jwk = await exportJWK(publicKey)
    const near = {
      jti: 'j',
      htm: method,
      htu: `${PUBLIC_URL}${path}`,
      iat: NOW / 1_000,
      ath: 'PC7LX_zeDNf1lQg4xFoO1e4RaZl3c7uKvZmFGZhSYnU',
      nonce: dpop.nonce(),
    }
    const value = fc.oneof(fc.jsonValue(), fc.constant(jwk), fc.constant('ES256'))
    const header = fc.oneof(
      fc.record({ typ: fc.constant('dpop+jwt'), alg: value, jwk: value }),
      fc.record({ typ: fc.constant('dpop+jwt'), alg: fc.constant('ES256'), jwk: fc.constant(jwk) }),
      fc.dictionary(fc.string(), fc.jsonValue()),
    )
    const claims = fc.oneof(
      fc.jsonValue(),
      fc
        .dictionary(fc.constantFrom(...Object.keys(near)), fc.jsonValue())
        .map((more) => ({ ...near, ...more })),
    )
    const signature = fc.uint8Array({ minLength: 1, maxLength: 96 })
    await fc.assert(
      fc.asyncProperty(header, claims, signature, async (h, c, s) => {
        await mustRefuse(`${encode(h)}.${encode(c)}.${Buffer.from(s).toString('base64url')}`)
      }),
      { numRuns: 800 },
    )
  })

  it('says why to the operator alone', async () => {
    const { message, reason } = await refusal(dpop.check({ proof: 'x', method, path }, 'token'))
    expect(message).toBe('the DPoP proof was not accepted')
    expect(reason).toBe('dpop: not a compact JWS')
  })
})

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value) ?? 'undefined').toString('base64url')
}
