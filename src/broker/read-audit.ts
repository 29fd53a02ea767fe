import type { AuditEvent } from '../audit/events.ts'
import { MayflyError } from '../errors.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { tenantsFor } from './operator.ts'
import { type Listing, pageFrom } from './page.ts'

export interface AuditRequest {
  readonly filter: { readonly lease?: string; readonly task?: string }
  /** `whole`: refuse rather than leave anything out, because a chain with holes proves nothing. */
  readonly extent: 'whole' | 'readable'
  /** `after`: the last `seq` seen. */
  readonly page: { readonly limit: number; readonly after: string | undefined }
}

/**
 * Events in the order of the chain. An operator of some tenants gets the events of those alone and
 * is told so by `filteredTo`.
 */
export async function readAudit(
  broker: Broker,
  by: OperatorCaller,
  { filter, extent, page }: AuditRequest,
): Promise<Listing<AuditEvent> & { readonly filteredTo: readonly string[] | null }> {
  const tenants = tenantsFor(broker, by.operator, 'readAudit')
  if (extent === 'whole' && tenants !== null) throw notWhole()
  const listing = await pageFrom(page, {
    fetch: ({ limit, after }) =>
      broker.store.audit.read(Number(after ?? 0), limit, { ...filter, tenants }),
    place: (event) => String(event.seq),
  })
  return { ...listing, filteredTo: tenants }
}

/** The newest event's place and hash: what an anchor keeps. Needs every tenant. */
export async function auditHead(
  broker: Broker,
  by: OperatorCaller,
): Promise<{ readonly seq: number; readonly hash: string; readonly at: number }> {
  if (tenantsFor(broker, by.operator, 'readAudit') !== null) throw notWhole()
  return await broker.store.audit.head()
}

function notWhole(): MayflyError {
  return new MayflyError(
    'forbidden',
    'the chain is checked over the events of every tenant: this needs an operator of tenants ["*"]',
  )
}
