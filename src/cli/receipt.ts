import { readFileSync } from 'node:fs'
import type { ReceiptClaims, ReceiptWire } from '../model/receipt.ts'
import { verifyReceipt } from '../signing/verify-receipt.ts'
import { type Context, type ExitCode, UsageError } from './command.ts'
import { printFields } from './show.ts'
import { safe } from './terminal.ts'
import { when } from './when.ts'

/** `receipt ID`: what the broker states of a lease or kill; `--jws` prints just what to keep. */
export async function printReceipt(
  context: Context,
  id: string,
  { jws }: { readonly jws?: true },
): Promise<ExitCode> {
  const { terminal } = context
  const api = context.api()
  const receipt = id.startsWith('kill_') ? await api.killReceipt(id) : await api.leaseReceipt(id)
  if (jws) terminal.line(safe(receipt.jws))
  else if (terminal.json) terminal.answer(receipt)
  else readOut(context, receipt.claims)
  return 0
}

/** `receipt keys`: the public keys, to be kept beside the receipts. */
export async function printReceiptKeys({ api, terminal }: Context): Promise<ExitCode> {
  terminal.answer(await api().receiptKeys())
  return 0
}

/** `receipt verify`: with nothing but a receipt and a key set; says what that shows. */
export async function verifyReceiptFile(
  context: Context,
  file: string,
  { jwks }: { readonly jwks: string },
): Promise<ExitCode> {
  const { terminal } = context
  const verified = await verifyReceipt(jwsIn(file), jsonIn(jwks))
  if (terminal.json) terminal.answer({ ...verified, ...(verified.ok && { shows: SHOWS }) })
  if (!verified.ok) {
    if (!terminal.json) terminal.line(`${terminal.paint('red', 'NOT VALID')}: ${verified.why}`)
    return 1
  }
  if (terminal.json) return 0
  readOut(context, verified.claims)
  terminal.line()
  terminal.line(`${terminal.paint('green', 'valid')}: signed with key ${safe(verified.kid)}`)
  for (const line of SHOWS) terminal.line(`  ${line}`)
  return 0
}

const SHOWS = [
  'shown: whoever held this key stated this, and not a letter was changed since',
  'not shown: that the keys are those of your broker; take them from it, or from where you keep them',
  'not shown: what came after as_of; of what was not over then, ask for a later receipt',
  'not shown: more than the containment says; "enforced" is the word of the upstream, "proved" was seen',
]

function readOut(context: Context, claims: ReceiptClaims): void {
  const { terminal, now } = context
  const { iss, sub, installation, as_of } = claims
  terminal.line(
    `receipt of ${safe(sub)}, by ${safe(installation)} (${safe(iss)}), as of ${safe(as_of)} (${when(as_of, now())})`,
  )
  terminal.line(`  ${terminal.paint('bold', safe(sentence(claims)))}`)
  terminal.line()
  printFields(context, 'lease' in claims ? claims.lease : claims.kill)
}

/** The one thing a reader wants to know first. */
function sentence(claims: ReceiptClaims): string {
  if ('kill' in claims) {
    const { leases, containment, complete, exposed_until, exposed_seconds } = claims.kill
    const far = Object.entries(containment).filter(([, count]) => count > 0)
    const counts = far.map(([name, count]) => `${count} ${name}`).join(', ')
    const rest = complete ? '' : ', and others may still wait for their order'
    if (exposed_until === undefined) return `it has ended no lease${rest}`
    return `${leases.total} leases: ${counts}${rest}; anything of it could work until ${exposed_until} at the latest, ${exposed_seconds} s after the order`
  }
  const { state, containment, cause, end, exposed_until, exposed_seconds } = claims.lease
  if (exposed_until === undefined) return 'nothing was minted: no credential ever existed'
  if (end === undefined) return `${state}; nobody ordered its end; it works until ${exposed_until}`
  const by = end.ordered_by === undefined ? '' : ` by ${end.ordered_by}`
  const until =
    state === 'ended'
      ? `it could work until ${exposed_until}`
      : `it may still work until ${exposed_until}`
  return `${state} (${containment}), ${cause}${by}; ${until} at the latest, ${exposed_seconds} s after the order`
}

/** The receipt alone, or the API's answer that it came in. */
function jwsIn(file: string): string {
  const text = textIn(file).trim()
  if (!text.startsWith('{')) return text
  const { jws } = jsonIn(file) as Partial<ReceiptWire> // checked on the next line
  if (typeof jws !== 'string') throw new UsageError(`${file} holds no receipt`)
  return jws
}

function jsonIn(file: string): unknown {
  try {
    return JSON.parse(textIn(file))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${file} is no JSON`)
  }
}

function textIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${error instanceof Error ? error.message : error}`)
  }
}
