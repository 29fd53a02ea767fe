import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MayflyError } from '../../src/errors.ts'
import { Secret } from '../../src/secret.ts'
import { verifyDelivery, webhookSecretProblem } from '../../src/signals/webhook.ts'

/** The vector of the Standard Webhooks specification. */
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}
const NOW = VECTOR.timestamp * 1_000
const OTHER = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const BODY = '{"subject":{"agent":"a"},"level":"HIGH","reason":"theft"}'

interface Delivery {
  id?: string
  timestamp?: string
  signature?: string
  body?: string | Uint8Array
  secrets?: string[]
  now?: number
}

/** A delivery that is in order, but for what a test changes after signing. */
function deliver(overlay: Delivery = {}) {
  const id = overlay.id ?? VECTOR.id
  const timestamp = overlay.timestamp ?? String(VECTOR.timestamp)
  const body = overlay.body ?? BODY
  return verifyDelivery({
    headers: new Headers({
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': overlay.signature ?? sign({ id, timestamp, body }),
    }),
    rawBody: typeof body === 'string' ? Buffer.from(body) : body,
    secrets: (overlay.secrets ?? [VECTOR.secret]).map((text) => new Secret(text)),
    now: overlay.now ?? NOW,
  })
}

function sign(message: {
  id?: string
  timestamp?: string
  body?: string | Uint8Array
  secret?: string
}): string {
  const { id = VECTOR.id, timestamp = String(VECTOR.timestamp), body = BODY } = message
  const key = Buffer.from((message.secret ?? VECTOR.secret).slice('whsec_'.length), 'base64')
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body)
  return `v1,${mac.digest('base64')}`
}

function refusal(overlay: Delivery): MayflyError {
  try {
    deliver(overlay)
  } catch (error) {
    if (error instanceof MayflyError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('a signed delivery', () => {
  it('is the specification’s own vector', () => {
    const { id, body, signature } = VECTOR
    expect(sign({ body })).toBe(signature)
    expect(deliver({ body, signature })).toMatchObject({ messageId: id, body })
  })

  it('gives its id, its body and the hash of that', () => {
    expect(deliver()).toEqual({
      messageId: VECTOR.id,
      bodyHash: createHash('sha256').update(BODY).digest('hex'),
      body: BODY,
    })
    expect(deliver().bodyHash).not.toBe(deliver({ body: `${BODY} ` }).bodyHash)
  })

  it('may carry several signatures, of which one must be right', () => {
    const wrong = sign({ secret: OTHER })
    expect(deliver({ signature: `${wrong} v2,abc v1a,def ${sign({})}` }).messageId).toBe(VECTOR.id)
  })

  it('may be signed with the previous secret while it is rotated', () => {
    const signature = sign({ secret: OTHER })
    expect(deliver({ signature, secrets: [VECTOR.secret, OTHER] }).messageId).toBe(VECTOR.id)
    expect(refusal({ signature })).toMatchObject({ code: 'unauthenticated' })
  })

  it('may be five minutes off, either way', () => {
    expect(deliver({ now: NOW + 300_000 }).messageId).toBe(VECTOR.id)
    expect(deliver({ now: NOW - 300_000 }).messageId).toBe(VECTOR.id)
  })
})

describe('a delivery that is not beyond doubt', () => {
  const good = sign({}).slice(3)
  it.each<[string, Delivery]>([
    ['too old', { now: NOW + 301_000 }],
    ['too new', { now: NOW - 301_000 }],
    ['changed after signing', { signature: sign({}), body: BODY.replace('"a"', '"b"') }],
    ['under another id', { signature: sign({}), id: 'msg_other' }],
    ['at another time', { signature: sign({}), timestamp: String(VECTOR.timestamp + 1) }],
    ['signed with another secret', { signature: sign({ secret: OTHER }) }],
    ['unsigned', { signature: '' }],
    ['signed in part', { signature: `v1,${good.slice(0, 10)}` }],
    ['signed in another version', { signature: `v2,${good}` }],
    ['signed without a version', { signature: good }],
    ['without id', { id: '' }],
    ['with a full stop in its id', { id: 'msg.1' }],
    ['with two ids', { id: 'a, b' }],
    ['with a time that is no number', { timestamp: 'now' }],
    ['with a time in another spelling', { timestamp: `0${VECTOR.timestamp}`, signature: sign({}) }],
    ['with a time in the exponent', { timestamp: '1e9' }],
    [
      'with a body that is no UTF-8',
      { body: Uint8Array.from([0x7b, 0xff, 0x7d]), signature: sign({ body: '{\ufffd}' }) },
    ],
    ['without a secret to check it', { secrets: [] }],
    ['with its signature behind too many others', { signature: `${'v1,x '.repeat(8)}v1,${good}` }],
  ])('is refused without a reason when it is %s', (_, overlay) => {
    const error = refusal(overlay)
    expect(error.code).toBe('unauthenticated')
    expect(error.message).toBe('the signal was not accepted')
    expect(error.detail).toBeUndefined()
  })

  it('is refused, whatever one changes in it', () => {
    const signature = sign({})
    const change = fc.record(
      { id: fc.string(), timestamp: fc.string(), signature: fc.string(), body: fc.string() },
      { requiredKeys: [] },
    )
    const sendable = /^[\x20-\x7e]*$/
    fc.assert(
      fc.property(change, (overlay) => {
        fc.pre(Object.keys(overlay).length > 0)
        const headers = [overlay.id, overlay.timestamp, overlay.signature]
        fc.pre(headers.every((text) => text === undefined || sendable.test(text)))
        expect(refusal({ signature, ...overlay }).code).toBe('unauthenticated')
      }),
      { numRuns: 1_000 },
    )
  })

  it('P2: never shows the secret, not even when the secret itself is unusable', () => {
    const error = refusal({ secrets: ['whsec_short'] })
    expect(error.code).toBe('internal')
    expect(JSON.stringify([error.message, error.detail])).not.toContain('short')
  })
})

describe('a webhook secret', () => {
  it.each([
    [VECTOR.secret, undefined],
    [OTHER, undefined],
    ['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'must be whsec_ followed by base64'],
    ['whsec_', 'must be whsec_ followed by base64'],
    ['whsec_not base64', 'must be whsec_ followed by base64'],
    [
      `whsec_${Buffer.alloc(32).toString('base64').replace('=', '')}`,
      expect.stringMatching(/padded/),
    ],
    ['whsec_c2hvcnQ=', 'must hold 24 to 64 bytes'],
    [`whsec_${Buffer.alloc(65).toString('base64')}`, 'must hold 24 to 64 bytes'],
  ])('%s: %s', (text, problem) => {
    expect(webhookSecretProblem(new Secret(text))).toEqual(problem)
  })
})
