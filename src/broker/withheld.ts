import type { Broker } from './broker.ts'

/** Why nothing begins now, at no upstream and for nobody. */
export interface Withheld {
  readonly rail: 'clock' | 'restored'
  readonly message: string
}

/** Undefined: it may. Ends, kills, signals and heartbeats go on in either case. */
export function withheld({
  health,
  store,
}: Pick<Broker, 'health' | 'store'>): Withheld | undefined {
  const doubt = health.timeInDoubt()
  if (doubt !== undefined) return { rail: 'clock', message: doubt }
  if (store.restoration()?.confirmed !== false) return undefined
  return {
    rail: 'restored',
    message: 'an older database was put in place of this one, and no operator has confirmed it yet',
  }
}
