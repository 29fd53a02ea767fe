import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { canonicalJson } from '../audit/chain.ts'
import { MayflyError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { KillReceipt, LeaseReceipt, ReceiptWire } from '../model/receipt.ts'
import type { AuditPlace, Kill, KilledLease } from '../store/store.ts'
import type { Caller, OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { findLease, notFound } from './read.ts'
import { findKill } from './read-trouble.ts'

export type { AuditPlace, Kill, KilledLease } from '../store/store.ts'
export type LeaseFacts = NonNullable<
  Awaited<ReturnType<Broker['store']['receipts']['ofLease']>>
> & {
  readonly asOf: number
  readonly reader: Caller['kind']
}

/**
 * What is known of a lease now, for whoever may read it: also of one that is not over. `conflict` if
 * its row is damaged, because nothing of it is known then.
 */
export async function leaseFacts(broker: Broker, by: Caller, id: string): Promise<LeaseFacts> {
  const { id: found } = await findLease(broker, by, { id, act: 'readLeases' })
  const asOf = broker.clock.now()
  const facts = await broker.store.receipts.ofLease(found)
  if (facts === undefined) throw notFound('lease')
  if (facts.lease.unreadable) {
    throw new MayflyError(
      'conflict',
      'the row of this lease cannot be read, so nothing is signed of it: what the audit log says of it still stands',
    )
  }
  return { ...facts, asOf, reader: by.kind }
}

/** As many lines as a receipt holds; the hash speaks of all. */
const MAX_LINES = 1_000
/** Read at once; other requests are served in between. */
const CHUNK = 2_000

export interface KillFacts {
  readonly kill: Kill
  readonly order: AuditPlace | undefined
  readonly containment: Readonly<Record<string, number>>
  readonly exposedUntil: number | undefined
  readonly total: number
  readonly sha256: string
  readonly lines: readonly KilledLease[]
  readonly asOf: number
}

/**
 * What is known of a kill now, and of each lease it ended. `lineOf` writes a lease as the receipt
 * shows it: over these lines, by lease id, goes the hash.
 */
export async function killFacts(
  broker: Broker,
  by: OperatorCaller,
  { id, lineOf }: { readonly id: string; readonly lineOf: (lease: KilledLease) => object },
): Promise<KillFacts> {
  const asOf = broker.clock.now()
  const { kill } = await findKill(broker, by, id)
  const { receipts } = broker.store
  const order = await receipts.orderOfKill(kill)
  const containment = { pending: 0, enforced: 0, proved: 0, expired: 0, unknown: 0 }
  const lines: KilledLease[] = []
  const hash = createHash('sha256')
  let [total, exposedUntil] = [0, Number.NEGATIVE_INFINITY]
  for (let after: string | undefined; ; await setImmediate()) {
    const page = await receipts.leasesOfKill(kill.id, { limit: CHUNK, after })
    for (const lease of page) {
      // The elements of a canonical array are canonical themselves, with commas between (RFC 8785).
      hash.update(`${total === 0 ? '[' : ','}${canonicalJson(lineOf(lease))}`)
      total += 1
      containment[lease.containment ?? 'unknown'] += 1
      exposedUntil = Math.max(exposedUntil, lease.exposedUntil)
      if (lines.length < MAX_LINES) lines.push(lease)
    }
    after = page.at(-1)?.id
    if (page.length < CHUNK) break
  }
  const sha256 = hash.update(total === 0 ? '[]' : ']').digest('hex')
  const known = total === 0 ? undefined : exposedUntil
  return { kill, order, containment, exposedUntil: known, total, sha256, lines, asOf }
}

/** Signs what was found out, in the broker's own name. */
export async function signReceipt(
  broker: Broker,
  said:
    | { readonly asOf: number; readonly lease: LeaseReceipt }
    | { readonly asOf: number; readonly kill: KillReceipt },
): Promise<ReceiptWire> {
  const { config } = broker.world()
  const about = 'lease' in said ? { lease: said.lease } : { kill: said.kill }
  return await broker.signer.receipts.sign({
    iss: config.server.publicUrl,
    sub: 'lease' in said ? said.lease.id : said.kill.id,
    jti: newId('rcpt', broker),
    installation: config.installation,
    as_of: new Date(said.asOf).toISOString(),
    ...about,
  })
}
