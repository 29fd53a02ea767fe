import type { Fault } from '../sandbox/faults.ts'
import type { Seeded } from './seeded.ts'

/** When the broker is killed in a round. `minted`, `called`, `answered`: at the n-th of them. */
export type Moment =
  | { readonly kind: 'starting' | 'working'; readonly afterMs: number }
  | { readonly kind: 'minted' | 'called' | 'answered'; readonly nth: number }

export interface RoundPlan {
  readonly moment: Moment
  readonly faults: readonly { operation: string; fault: Fault; times: number }[]
}

const MINTING = [
  'AssumeRole',
  'POST auth/token/create',
  'POST sys/policies/acl',
  'GET database/creds',
  'generateAccessToken',
  'token',
]
const ENDING = [
  'PutRolePolicy',
  'GetRolePolicy',
  'POST sys/leases/revoke',
  'POST auth/token/revoke-accessor',
  'disable',
]
/** How a broker makes sure of an end. */
const LOOKING = ['POST auth/token/lookup-accessor', 'POST sys/leases/lookup', 'GetRolePolicy']
/** A refusal is only true of what was not there before. */
const REFUSED: Fault = { kind: 'fail', status: 400 }

/** Chooses what a round suffers. A late answer comes within the next round at the latest. */
export function planRound({ seeded, lies }: { seeded: Seeded; lies: boolean }): RoundPlan {
  const faults = seeded.chance(0.6) ? faultsOf(seeded) : []
  return { moment: momentOf(seeded), faults: lies ? [...liesOf(seeded), ...faults] : faults }
}

/** Upstreams that answer as if they had ended something, for a while or as long as the round lasts. */
function liesOf(seeded: Seeded): RoundPlan['faults'] {
  return [seeded.pick(ENDING), seeded.pick(ENDING)].map((operation) => ({
    operation,
    fault: { kind: 'lie' },
    times: seeded.between(1, 40),
  }))
}

function momentOf(seeded: Seeded): Moment {
  const kind = seeded.pick([
    'starting',
    'working',
    'working',
    'minted',
    'minted',
    'called',
    'answered',
  ] as const)
  switch (kind) {
    case 'starting':
      return { kind, afterMs: seeded.between(50, 2_500) }
    case 'working':
      return { kind, afterMs: seeded.between(20, 2_500) }
    case 'minted':
      return { kind, nth: seeded.between(1, 40) }
    case 'called':
      return { kind, nth: seeded.between(1, 250) }
    case 'answered':
      return { kind, nth: seeded.between(1, 120) }
  }
}

function faultsOf(seeded: Seeded): RoundPlan['faults'] {
  return Array.from({ length: seeded.between(1, 4) }, () => {
    const mints = seeded.chance(0.6)
    const fault = seeded.pick<Fault>([
      { kind: 'lose' },
      { kind: 'late', ms: seeded.between(100, 1_500) },
      { kind: 'slow', ms: seeded.between(100, 1_500) },
      { kind: 'hang' },
      { kind: 'garbage' },
      { kind: 'fail', status: 503 },
      ...(mints ? [REFUSED] : []),
    ])
    const operation = seeded.pick(mints ? MINTING : seeded.chance(0.7) ? ENDING : LOOKING)
    return { operation, fault, times: seeded.between(1, 3) }
  })
}

/** Every call of a mint refused once: behind a refusal is what a life seldom gets to. */
export function refusals(): RoundPlan['faults'] {
  return MINTING.map((operation) => ({ operation, fault: REFUSED, times: 1 }))
}

export function describeMoment(moment: Moment): string {
  return 'nth' in moment
    ? `at the ${moment.nth}. time it ${moment.kind}`
    : `${moment.afterMs} ms after it began ${moment.kind}`
}
