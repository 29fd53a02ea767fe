import { newId } from '../ids.ts'
import type { RiskLevel } from '../model/risk.ts'
import type { Selector } from '../model/selector.ts'
import type { KillCounts, Signal } from '../store/store.ts'
import type { Broker } from './broker.ts'
import { refusedLeases } from './redecide.ts'

/** What policies would end of what is live, were this said of these; tasks stay open. */
export async function endsAtRisk(
  broker: Broker,
  level: RiskLevel,
  effective: readonly Selector[],
): Promise<KillCounts> {
  const supposed = supposing(broker, level, effective)
  const agents = new Set<string | undefined>()
  let leases = 0
  for await (const { lease } of refusedLeases(supposed, broker.world(), effective)) {
    leases += 1
    agents.add((await broker.store.leases.byId(lease.id))?.agent)
  }
  return { leases, tasks: 0, agents: agents.size }
}

/** The same broker, but for one signal more, which is seen nowhere else. */
function supposing(broker: Broker, level: RiskLevel, effective: readonly Selector[]): Broker {
  const { store, clock } = broker
  const said: Signal = {
    id: newId('sig', broker),
    source: '',
    messageId: '',
    bodyHash: '',
    receivedAt: clock.now(),
    subject: effective[0] ?? {},
    effective,
    level,
    action: 'risk',
    reason: '',
    expiresAt: null,
    about: null,
    kill: null,
    matched: { leases: 0, tasks: 0, agents: 0 },
    unreadable: false,
  }
  const risks = async (now: number) => [...(await store.signals.risks(now)), said]
  return { ...broker, store: { ...store, signals: { ...store.signals, risks } } }
}
