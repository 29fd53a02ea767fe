import { createPublicKey } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { ALGORITHMS, accepting, startTarget } from './attack-target.ts'
import { goodClaims, identityFor } from './fixture.ts'
import { base64url, headerOf, macToken, rawToken } from './raw-token.ts'

const target = await startTarget()
afterAll(() => target.corp.close())
const { corp, keyOf, payload, mustRefuse } = target

describe.each(ALGORITHMS)('P10: one change to a token signed with %s', (alg) => {
  it('is refused, and without it the token is accepted', async () => {
    const key = keyOf(alg)
    const good = rawToken(headerOf(key), payload(), key)
    const { identity } = identityFor(corp, accepting)
    expect((await identity.verify(good)).subject).toBe('robot')
    const [head = '', body = '', signature = ''] = good.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    const changed = (at: number) => {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ 1
      return `${head}.${body}.${copy.toString('base64url')}`
    }
    const forms: Record<string, string> = {
      'first bit of the signature': changed(0),
      'last bit of the signature': changed(bytes.length - 1),
      'no signature': `${head}.${body}.`,
      'no signature, no separator': `${head}.${body}`,
      'no payload': `${head}..${signature}`,
      'no payload, no separator': `${head}.${signature}`,
      'no header': `.${body}.${signature}`,
      'no header, no separator': `${body}.${signature}`,
      'an empty part more': `${good}.`,
      'a part more': `${good}.Zm9v`,
      'another payload': `${head}.${base64url(payload({ sub: 'admin' }))}.${signature}`,
      'another kid': `${base64url(JSON.stringify({ alg, kid: 'other' }))}.${body}.${signature}`,
      'spaces in the header': `${base64url(JSON.stringify({ alg, kid: key.kid }, null, 1))}.${body}.${signature}`,
      'JSON serialization': JSON.stringify({ payload: body, protected: head, signature }),
      'flattened with an unprotected header': JSON.stringify({
        payload: body,
        signatures: [{ protected: head, header: { unknown: 1 }, signature }],
      }),
      'a byte more of signature': `${head}.${body}.${Buffer.concat([bytes, Buffer.of(0)]).toString('base64url')}`,
      'a byte before the signature': `${head}.${body}.${Buffer.concat([Buffer.of(0), bytes]).toString('base64url')}`,
      'a byte less of signature': `${head}.${body}.${bytes.subarray(0, -1).toString('base64url')}`,
      'all of the signature zero': `${head}.${body}.${Buffer.alloc(bytes.length).toString('base64url')}`,
      'padded base64': `${head}.${body}.${signature}${'='.repeat((4 - (signature.length % 4)) % 4)}=`,
      'a line feed at the end': `${good}\n`,
      'a space in front': ` ${good}`,
      'a line feed inside': `${head}.${body.slice(0, 8)}\n${body.slice(8)}.${signature}`,
      'the standard alphabet': `${head}.${body}.${bytes.toString('base64')}`,
    }
    for (const [form, token] of Object.entries(forms)) {
      expect(token, form).not.toBe(good)
      await mustRefuse(token)
    }
    const stray = strayBits(head, body, signature)
    if (stray !== good) expect((await mustRefuse(stray)).reason).toBe('not base64url')
  })
})

/** The same bytes in another text: the last character carries bits that no byte holds. */
function strayBits(head: string, body: string, signature: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const parts = [head, body, signature].map((part) => {
    if (part.length % 4 === 0) return part
    return part.slice(0, -1) + letters[letters.indexOf(part.at(-1) ?? 'A') + 1]
  })
  return parts.join('.')
}

describe('P10: algorithm confusion', () => {
  it('a public key, in whatever form, is no shared secret', async () => {
    for (const alg of ['RS256', 'ES256', 'PS256']) {
      const key = keyOf(alg)
      const publicKey = createPublicKey({ key: { ...key.jwk }, format: 'jwk' })
      const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
      const secrets = [
        pem,
        pem.trimEnd(),
        pem.replace(/-----.*-----|\n/g, ''),
        publicKey.export({ type: 'spki', format: 'der' }),
        JSON.stringify(key.jwk),
        Buffer.from(key.jwk.n ?? key.jwk.x ?? '', 'base64url'),
        '',
      ]
      for (const secret of secrets) {
        for (const wrong of ['HS256', 'HS384', 'HS512', 'hs256', alg]) {
          await mustRefuse(macToken({ alg: wrong, kid: key.kid }, goodClaims(corp), secret))
        }
      }
    }
  })

  it('a key signs in its own algorithm only', async () => {
    const key = keyOf('RS256')
    await mustRefuse(rawToken(JSON.stringify({ alg: 'PS256', kid: key.kid }), payload(), key))
    await mustRefuse(
      rawToken(headerOf({ ...key, alg: 'PS256' }), payload(), { ...key, alg: 'PS256' }),
    )
    corp.keys = [{ ...key, jwk: { ...key.jwk, alg: 'RS512' } }]
    await mustRefuse(rawToken(headerOf(key), payload(), key))
    const wide = keyOf('ES384')
    for (const alg of ['ES256', 'ES512', 'RS256']) {
      await mustRefuse(rawToken(JSON.stringify({ alg, kid: wide.kid }), payload(), wide))
    }
  })

  it.each(['none', 'None', 'nOnE', 'NONE ', '', 'HS256', 'A128KW', 'dir', '__proto__', 'toString'])(
    'the header cannot ask for "%s"',
    async (alg) => {
      const key = keyOf('ES256')
      const token = rawToken(JSON.stringify({ alg, kid: key.kid }), payload(), key)
      await mustRefuse(token)
      await mustRefuse(`${token.split('.').slice(0, 2).join('.')}.`)
    },
  )

  it.each([[null], [7], [['ES256']], [{ ES256: 1 }], [true], [undefined]])(
    'nor for %j, which is no text',
    async (alg) => {
      const key = keyOf('ES256')
      await mustRefuse(rawToken(JSON.stringify({ alg, kid: key.kid }), payload(), key))
    },
  )
})

describe('P10: key ids that mean something elsewhere', () => {
  it('are names, or nothing is looked up', async () => {
    const key = keyOf('ES256')
    for (const kid of ['', null, 7, ['key-ES256'], 'x'.repeat(513), 'key-ES256\u0000', 'a\u202e']) {
      const token = rawToken(JSON.stringify({ alg: 'ES256', kid }), payload(), key)
      expect((await mustRefuse(token)).reason).toBe('header "kid" is not a name')
    }
    expect(corp.requests).toEqual([])
  })

  it.each([
    '../../../../dev/null',
    '/etc/passwd',
    'file:///dev/null',
    "key-ES256' OR '1'='1",
    "x' UNION SELECT 'c2VjcmV0' --",
    '; rm -rf /',
    '$(id)',
    'https://evil.example/jwks#key-ES256',
    'KEY-ES256',
    'key-ES256 ',
    'key-ES256\u0000',
    '__proto__',
    'constructor',
    '*',
    '',
    'x'.repeat(10_000),
  ])('%j', async (kid) => {
    const key = keyOf('ES256')
    await mustRefuse(rawToken(JSON.stringify({ alg: 'ES256', kid }), payload(), key))
  })

  it.each([[null], [0], [['key-ES256']], [{ kid: 'key-ES256' }], [true]])(
    '%j, which is no text',
    async (kid) => {
      const key = keyOf('ES256')
      await mustRefuse(rawToken(JSON.stringify({ alg: 'ES256', kid }), payload(), key))
    },
  )
})

describe('P10: what a token says twice or brings along, rightly signed', () => {
  const headers: [string, string][] = [
    ['alg twice', '{"alg":"none","alg":"ES256","kid":"key-ES256"}'],
    ['alg twice, once escaped', '{"\\u0061lg":"none","alg":"ES256","kid":"key-ES256"}'],
    ['kid twice', '{"alg":"ES256","kid":"other","kid":"key-ES256"}'],
    ['its key', '{"alg":"ES256","kid":"key-ES256","jwk":{"kty":"oct","k":"AAAA"}}'],
    ['a key set', '{"alg":"ES256","kid":"key-ES256","jku":"http://127.0.0.1:1/jwks"}'],
    ['a certificate’s address', '{"alg":"ES256","kid":"key-ES256","x5u":"http://127.0.0.1:1/c"}'],
    ['a certificate', '{"alg":"ES256","kid":"key-ES256","x5c":["AAAA"]}'],
    ['null for a key', '{"alg":"ES256","kid":"key-ES256","jwk":null}'],
    ['a demand', '{"alg":"ES256","kid":"key-ES256","crit":["exp"],"exp":1}'],
    ['an empty demand', '{"alg":"ES256","kid":"key-ES256","crit":[]}'],
    ['an unencoded payload', '{"alg":"ES256","kid":"key-ES256","b64":false,"crit":["b64"]}'],
    ['a token inside', '{"alg":"ES256","kid":"key-ES256","cty":"JWT"}'],
    ['a list for a header', '["ES256"]'],
    ['a byte order mark', '\ufeff{"alg":"ES256","kid":"key-ES256"}'],
    ['something after it', '{"alg":"ES256","kid":"key-ES256"}{}'],
  ]
  it.each(headers)('header: %s', async (_, header) => {
    await mustRefuse(rawToken(header, payload(), keyOf('ES256')))
  })

  const bodies: [string, (good: string) => string][] = [
    ['sub twice', (good) => good.replace('{', '{"sub":"admin",')],
    ['sub twice, once escaped', (good) => good.replace('{', '{"su\\u0062":"admin",')],
    ['iss twice', (good) => good.replace('{', '{"iss":"https://evil.example",')],
    ['a nested claim twice', (good) => good.replace('{', '{"a":[{"b":1,"b":2}],')],
    ['an empty object', () => '{}'],
    ['a list', (good) => `[${good}]`],
    ['text', () => '"robot"'],
    ['null', () => 'null'],
    ['a comment', (good) => `${good}/**/`],
    [
      'objects nested without end',
      (good) => good.replace('{', `{"a":${'{"a":'.repeat(1_500)}1${'}'.repeat(1_500)},`),
    ],
    [
      '300 claims',
      (good) =>
        good.replace('{', `{${Array.from({ length: 300 }, (__, n) => `"c${n}":1,`).join('')}`),
    ],
    ['more than a token may hold', (good) => good.replace('{', `{"a":"${'x'.repeat(17_000)}",`)],
  ]
  it.each(bodies)('payload: %s', async (_, change) => {
    const key = keyOf('ES256')
    await mustRefuse(rawToken(headerOf(key), change(payload()), key))
  })

  it('lists nested without end give no claim and cost no more than a moment', async () => {
    const key = keyOf('ES256')
    const deep = payload().replace('{', `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)},`)
    const started = performance.now()
    const workload = await identityFor(corp).identity.verify(rawToken(headerOf(key), deep, key))
    expect(workload.claims.a).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(500)
  })
})
