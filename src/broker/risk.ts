import { type Risk, riskAt } from '../model/risk.ts'
import { matches, type SelectorSubject } from '../model/selector.ts'
import type { Broker } from './broker.ts'

/** The highest risk that unexpired signals give any part of `subject`. */
export async function riskOf(
  { store }: Pick<Broker, 'store'>,
  subject: SelectorSubject,
  now: number,
): Promise<Risk> {
  const signals = await store.signals.risks(now)
  const about = signals.filter((signal) => signal.effective.some((one) => matches(one, subject)))
  return riskAt(about, now)
}
