import { createHash, timingSafeEqual } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { MayflyError } from '../errors.ts'
import type { Secret } from '../secret.ts'

/** How far a message's time may be from ours, either way (the specification's libraries: 5 min). */
const WEBHOOK_TOLERANCE_SECONDS = 300
/** More than any rotation of keys needs. */
const MAX_SIGNATURES = 8

/** No full stop: it separates id, time and body in what is signed. */
const MESSAGE_ID = /^[\w:/+=~-]{1,256}$/

/** One delivery as it came, its body as bytes. */
export interface WebhookDelivery {
  readonly headers: Headers
  readonly rawBody: Uint8Array
  /** The source's secret and, while it is being rotated, its previous one. */
  readonly secrets: readonly Secret[]
  /** Epoch milliseconds. */
  readonly now: number
}

/** A delivery whose signature was right: the same `messageId` must always come with one hash. */
export interface VerifiedDelivery {
  readonly messageId: string
  /** SHA-256 of the raw body, lower-case hex. */
  readonly bodyHash: string
  readonly body: string
}

/**
 * Verifies a Standard Webhooks delivery. Anything wrong with id, time or signature is
 * `unauthenticated` without a reason; what the body says is for others to read.
 */
export function verifyDelivery(delivery: WebhookDelivery): VerifiedDelivery {
  const { messageId, body } = verifiedBody(delivery)
  const bodyHash = createHash('sha256').update(delivery.rawBody).digest('hex')
  return { messageId, bodyHash, body }
}

/** Why a secret cannot verify webhooks; undefined if it can. For configuration checks. */
export function webhookSecretProblem(secret: Secret): string | undefined {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret.reveal())?.[1]
  if (encoded === undefined) return 'must be whsec_ followed by base64'
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.toString('base64') !== encoded) return 'must be whsec_ followed by padded base64'
  return bytes.length < 24 || bytes.length > 64 ? 'must hold 24 to 64 bytes' : undefined
}

function verifiedBody({ headers, rawBody, secrets, now }: WebhookDelivery) {
  const messageId = headers.get('webhook-id') ?? ''
  const timestamp = headers.get('webhook-timestamp') ?? ''
  const given = (headers.get('webhook-signature') ?? '').split(' ').slice(0, MAX_SIGNATURES)
  if (!MESSAGE_ID.test(messageId) || !/^\d{1,12}$/.test(timestamp)) throw refused()
  const seconds = Number(timestamp)
  if (String(seconds) !== timestamp) throw refused()
  if (Math.abs(now / 1_000 - seconds) > WEBHOOK_TOLERANCE_SECONDS) throw refused()
  const body = decode(rawBody)
  // The library's own verify reads the process clock, so only its signing is used.
  const expected = secrets.map((secret) =>
    signer(secret).sign(messageId, new Date(seconds * 1_000), body),
  )
  const known = expected.flatMap((good) => given.map((offered) => sameText(good, offered)))
  if (!known.includes(true)) throw refused()
  return { messageId, body }
}

/** Bytes that are no UTF-8 would be replaced before they are signed: two bodies, one signature. */
function decode(rawBody: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(rawBody)
  } catch {
    throw refused()
  }
}

function signer(secret: Secret): Webhook {
  const problem = webhookSecretProblem(secret)
  if (problem === undefined) return new Webhook(secret.reveal())
  throw new MayflyError('internal', 'the signal cannot be checked', {
    detail: { reason: `the source's secret ${problem}` },
  })
}

function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

function refused(): MayflyError {
  return new MayflyError('unauthenticated', 'the signal was not accepted')
}
