import { MayflyError } from '../errors.ts'
import { certificateKey } from '../identity/certificate.ts'
import { withKeys } from '../identity/possession.ts'
import type { Shown } from '../identity/shown.ts'
import type { Workload } from '../identity/workload.ts'
import type { KeyName } from '../model/key.ts'
import type { Task } from '../model/task.ts'
import type { OneTimeEvidence } from '../store/store.ts'
import type { Broker } from './broker.ts'
import { reportOtherKey } from './other-key.ts'

/** The keys a request was seen to hold, strongest word first, and the proof to be spent with them. */
export interface HeldKeys {
  readonly keys: readonly KeyName[]
  readonly proof: OneTimeEvidence | undefined
}

/** Evidence → workload, with the key it is bound to from now on, if any. */
export async function workloadShown(
  broker: Broker,
  shown: Shown,
): Promise<{
  readonly workload: Workload
  readonly key: KeyName | null
  readonly proof: OneTimeEvidence | undefined
}> {
  const { token } = shown
  const { identity } = broker.world()
  if (token === undefined) {
    const certificate = shown.certificate?.()
    if (certificate === undefined) {
      throw new MayflyError('unauthenticated', 'send Authorization: Bearer or DPoP with a token')
    }
    const keys = [certificateKey(certificate, broker.clock.now())]
    return { ...withKeys(identity.verifyCertificate(certificate), keys), proof: undefined }
  }
  const verified = await identity.verify(token)
  const { keys, proof } = await keysHeld(broker, shown, token)
  return { ...withKeys(verified, keys), proof }
}

/**
 * That whoever shows a bound task's token holds the task's key, with a proof not seen before. A
 * token without it is answered like an unknown one; with another key it is also a signal, because
 * somebody else has the token. The token of an unbound task comes as `Bearer`, and is enough.
 */
export async function assertHoldsKey(
  broker: Broker,
  task: Task,
  { shown, token }: { readonly shown: Shown; readonly token: string },
): Promise<void> {
  if (task.key === null) {
    if (shown.dpop === undefined) return
    throw refused('the task is bound to no key: its token comes as Bearer', { task: task.id })
  }
  const { keys, proof } = await keysHeld(broker, shown, token)
  if (!keys.includes(task.key)) {
    const [other] = keys
    if (other === undefined) throw refused('the token came without its key', { task: task.id })
    const subject = { task: task.id, tenant: task.tenant }
    await reportOtherKey(broker, { name: task.id, subject })
    throw refused('the token came with another key', { task: task.id, key: other })
  }
  await spendProof(broker, proof, `task ${task.id}`)
}

/** Each is a row for some minutes: ten in a second are more than any honest caller needs. */
const PROOFS_PER_MINUTE = 600

/**
 * Throws `unauthenticated` for a proof that was used before, `limit_reached` for a caller that
 * shows more of them than it may write down (P12).
 */
export async function spendProof(
  { store, clock, pace }: Broker,
  proof: OneTimeEvidence | undefined,
  caller: string,
): Promise<void> {
  if (proof === undefined) return
  const wait = pace.take(`proofs of ${caller}`, PROOFS_PER_MINUTE)
  if (wait !== undefined) {
    throw new MayflyError('limit_reached', 'too many proofs were shown this minute', {
      retryAfterSeconds: wait,
    })
  }
  if (!(await store.tasks.spend(proof, clock.now()))) throw proofUsed()
}

export function proofUsed(): MayflyError {
  return new MayflyError('unauthenticated', 'the DPoP proof was not accepted', {
    detail: { reason: 'dpop: it was used before' },
    challenge: 'invalid_dpop_proof',
  })
}

/** What a request shows to hold beside `token`; its proof is not spent. */
export async function keysHeld(
  { dpop, clock }: Broker,
  shown: Shown,
  token: string,
): Promise<HeldKeys> {
  const certificate = shown.certificate?.()
  const own = certificate === undefined ? [] : [certificateKey(certificate, clock.now())]
  if (shown.dpop === undefined) return { keys: own, proof: undefined }
  const { key, once } = await dpop.check(shown.dpop, token)
  return { keys: [key, ...own], proof: once }
}

function refused(reason: string, detail: Record<string, unknown> = {}): MayflyError {
  return new MayflyError('unauthenticated', 'the credentials were not accepted', {
    detail: { ...detail, reason },
  })
}
