import type { Fault } from '../sandbox/faults.ts'
import type { Place, ProviderName } from './ground.ts'

/** What can be wrong with an upstream for half an hour. */
export interface Trouble {
  readonly name: string
  begin(place: Place, provider: ProviderName): Promise<void> | void
  /** So long after the trouble, denials made in what was its future bite again. */
  readonly settlesMs?: number
}

/** What ends a lease or looks at it, as the sandboxes call it. */
const ENDING: Record<ProviderName, readonly string[]> = {
  aws: ['PutRolePolicy', 'DeleteRolePolicy'],
  vault: ['DELETE sys/policies/acl', 'POST auth/token/revoke-accessor', 'POST sys/leases/revoke'],
  gcp: ['disable', 'enable'],
}
const THROTTLED: Record<ProviderName, string | undefined> = {
  aws: 'Throttling',
  vault: undefined,
  gcp: undefined,
}
/** Longer than any call may take. */
const SLOW_MS = 40_000

export const TROUBLES: readonly Trouble[] = [
  { name: 'refuses connections', begin: ({ wire }) => wire.cut() },
  all('answers nothing', { kind: 'hang' }),
  all('is slow beyond every deadline', { kind: 'slow', ms: SLOW_MS }),
  {
    name: 'is throttled (429)',
    begin({ faults }, provider) {
      const code = THROTTLED[provider]
      const fault = { kind: 'fail', status: provider === 'aws' ? 400 : 429 } as const
      const told = { retryAfterSeconds: 20, ...(code === undefined ? {} : { code }) }
      faults.plan('*', { ...fault, ...told })
    },
  },
  all('fails (503)', { kind: 'fail', status: 503 }),
  all('loses every answer', { kind: 'lose' }),
  all('answers nonsense', { kind: 'garbage' }),
  {
    name: 'fails to end, but mints',
    begin({ faults }, provider) {
      for (const operation of ENDING[provider])
        faults.plan(operation, { kind: 'fail', status: 500 })
    },
  },
  {
    name: 'answers 200 without doing it',
    begin({ faults }, provider) {
      for (const operation of ENDING[provider]) faults.plan(operation, { kind: 'lie' })
    },
  },
  {
    name: 'has its clock 10 min ahead',
    settlesMs: 720_000,
    begin(place) {
      place.skewMs = 600_000
    },
  },
  {
    name: 'has its clock 10 min behind',
    begin(place) {
      place.skewMs = -600_000
    },
  },
]

export async function endTrouble(place: Place, trouble: Trouble): Promise<void> {
  place.faults.clear()
  place.skewMs = 0
  if (trouble.name === 'refuses connections') await place.wire.mend()
}

function all(name: string, fault: Fault): Trouble {
  return { name, begin: ({ faults }) => faults.plan('*', fault) }
}
