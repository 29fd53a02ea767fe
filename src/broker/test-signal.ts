import type { SignalSource } from '../config.ts'
import { MayflyError } from '../errors.ts'
import type { Selector } from '../model/selector.ts'
import type { Report } from '../signals/report.ts'
import { readSecurityEvent } from '../signals/security-event.ts'
import type { KillCounts } from '../store/store.ts'
import type { OperatorCaller } from './authenticate.ts'
import type { Broker } from './broker.ts'
import { directoryOf } from './directory.ts'
import { effectiveOf } from './keep-report.ts'
import { assertMay, tenantsFor } from './operator.ts'
import { decode, reportOf } from './receive-alert.ts'
import { ownReport } from './receive-signal.ts'
import { endsAtRisk } from './supposed-risk.ts'

/** What a message would do if its source sent it now. */
export type SignalTest =
  | { readonly refused: string }
  | {
      /** `not-checked`: what was given has none, or its secret is the sender's alone. */
      readonly signature: 'right' | 'not-checked'
      readonly report: Omit<Report, 'bodyHash' | 'messageId'> & { readonly messageId?: string }
      readonly effective: readonly Selector[]
      readonly matched: KillCounts
    }

/**
 * permission → read → scope → count what would end; nothing is changed
 *
 * A security event may be given as the signed token or as its claims alone. Only for operators of
 * every tenant: the answer says who is known here. `not_found` for an unknown source,
 * `invalid_request` for what is not even the source's format.
 */
export async function testSignal(
  broker: Broker,
  by: OperatorCaller,
  request: { readonly source: string; readonly rawBody: Uint8Array },
): Promise<SignalTest> {
  assertMay(broker, by.operator, 'sendSignal')
  if (tenantsFor(broker, by.operator, 'readLeases') !== null) {
    throw new MayflyError('forbidden', 'this is for operators of every tenant')
  }
  const { sources } = broker.world().config.signals
  const source = sources.find(({ name }) => name === request.source)
  if (source === undefined) throw new MayflyError('not_found', `no source "${request.source}"`)
  const text = decode(request.rawBody).trim()
  const read =
    source.type === 'ssf' ? await eventIn(broker, source, text) : alertIn(broker, source, text)
  if ('refused' in read) return read
  const { report } = read
  const effective = effectiveOf(source, report)
  if ('refused' in effective) return effective
  const matched = await endsOf(broker, source, { report, selectors: effective.selectors })
  return { ...read, effective: effective.selectors, matched }
}

/** An order ends what it names; a risk what policies then refuse. */
async function endsOf(
  broker: Broker,
  { scope }: SignalSource,
  {
    report,
    selectors,
  }: { report: Pick<Report, 'action' | 'level'>; selectors: readonly Selector[] },
): Promise<KillCounts> {
  const { action, level } = report
  const matched = { leases: 0, tasks: 0, agents: 0 }
  if (action === 'note' || selectors.length === 0) return matched
  if (action === 'risk') {
    return level === null ? matched : await endsAtRisk(broker, level, selectors)
  }
  for (const selector of selectors) {
    const counts = await broker.store.kills.count(selector, scope?.tenants ?? null)
    matched.leases += counts.leases
    matched.tasks += counts.tasks
    matched.agents += counts.agents
  }
  return matched
}

type Read =
  | { readonly refused: string }
  | Pick<Exclude<SignalTest, { refused: string }>, 'signature' | 'report'>

async function eventIn(
  broker: Broker,
  source: Extract<SignalSource, { type: 'ssf' }>,
  text: string,
): Promise<Read> {
  const world = broker.world()
  const signed = !text.startsWith('{')
  const verified = signed
    ? await world.identity.verifyEvent(source.name, text)
    : { claims: objectIn(text), payload: text }
  if ('err' in verified) return { refused: `${verified.err}: ${verified.description}` }
  const now = broker.clock.now()
  const context = { rules: source, directory: directoryOf(world, source), now }
  const report = readSecurityEvent(verified, context)
  if ('err' in report) return { refused: `${report.err}: ${report.description}` }
  return { signature: signed ? 'right' : 'not-checked', report }
}

function alertIn(
  broker: Broker,
  source: Extract<SignalSource, { type: 'webhook' }>,
  text: string,
): Read {
  const report = source.map
    ? reportOf(broker.world(), source, { text, map: source.map })
    : ownReport(text)
  return { signature: 'not-checked', report }
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    // It starts with a brace.
    return value as Record<string, unknown>
  } catch {
    throw new MayflyError('invalid_request', 'the claims must be JSON')
  }
}
