import { timingSafeEqual } from 'node:crypto'
import type { GatewayConfig, OperatorConfig } from '../config.ts'
import { MayflyError } from '../errors.ts'
import { matchesWorkload } from '../identity/match.ts'
import type { Shown } from '../identity/shown.ts'
import type { Workload } from '../identity/workload.ts'
import type { Broker } from './broker.ts'
import { hashToken } from './open-task.ts'
import { spendProof, workloadShown } from './possession.ts'

/** Callers that are configured by name, and what their kind is called. */
export interface Candidates<T extends OperatorConfig | GatewayConfig> {
  readonly kind: 'operator' | 'gateway'
  readonly all: readonly T[]
}

/** The one whose token was shown, as Bearer, before it expires; else `unauthenticated`. */
export function byToken<T extends OperatorConfig | GatewayConfig>(
  { clock }: Broker,
  { kind, all }: Candidates<T>,
  { shown, token }: { readonly shown: Shown; readonly token: string },
): T {
  if (shown.dpop !== undefined) throw notAccepted(`${kind} tokens come as Bearer`)
  const hash = Buffer.from(hashToken(token))
  const known = all.find(
    ({ tokenSha256 }) =>
      tokenSha256 !== undefined && timingSafeEqual(Buffer.from(tokenSha256), hash),
  )
  if (!known) throw notAccepted(`no such ${kind} token`)
  if (known.expiresAt !== undefined && known.expiresAt <= clock.now()) {
    throw notAccepted(`the ${kind} token has expired`, { [kind]: known.name })
  }
  return known
}

/** The only one that the workload's evidence matches, with it; else `unauthenticated`. */
export async function byEvidence<T extends OperatorConfig | GatewayConfig>(
  broker: Broker,
  { kind, all }: Candidates<T>,
  shown: Shown,
): Promise<{ readonly found: T; readonly workload: Workload }> {
  const { workload, proof } = await workloadShown(broker, shown)
  const matching = all.filter(
    ({ match }) => match !== undefined && matchesWorkload(match, workload),
  )
  // Nothing keeps what was used: such evidence would be as good as new for whoever copied it.
  if (workload.oneTime) throw notAccepted(`evidence good for one use is not for ${kind}s`)
  const [known] = matching
  if (!known || matching.length > 1) {
    throw notAccepted(matching.length > 1 ? `several ${kind}s match` : `no ${kind} matches`)
  }
  await spendProof(broker, proof, `${kind} ${known.name}`)
  return { found: known, workload }
}

/** One answer for all that does not hold; the reason is for the log. */
export function notAccepted(reason: string, about: Record<string, unknown> = {}): MayflyError {
  return new MayflyError('unauthenticated', 'the credentials were not accepted', {
    detail: { reason, ...about },
  })
}
