import type { DocumentWriter } from '../../src/model/upstream-writer.ts'
import type { ProviderLog } from '../../src/provider.ts'
import type { Refusals } from './refusals.ts'
import type { Refused } from './refused.ts'
import type { RolePolicies } from './role-policies.ts'
import type { EarlierDocument } from './role-survey.ts'

/**
 * Deletes the documents of other writers that refuse nothing but what is dead or in `settled`, too.
 * True: one is, or seemed, needless, so the role must be looked at again.
 */
export async function deleteNeedless(
  policies: RolePolicies,
  facts: {
    readonly earlier: readonly EarlierDocument[]
    readonly refusals: Refusals
    readonly settled: Refused
    /** False: it is written in this process. */
    readonly retire: (by: DocumentWriter) => boolean
    readonly log: ProviderLog
  },
  signal: AbortSignal,
): Promise<boolean> {
  const { earlier, refusals, settled, retire, log } = facts
  const needless = earlier.filter(({ text }) => refusals.makesNeedless(text, settled))
  for (const { policyName, by } of needless) {
    try {
      if (!retire(by)) continue
      const now = await policies.read(policyName, signal)
      // Its writer is not as gone as it seemed.
      if (now && !refusals.makesNeedless(now.text, settled)) continue
      if (now) await policies.delete(policyName, signal)
    } catch (error) {
      // It refuses only what is refused or dead anyway; a later write tries again.
      log.warn({ policy: policyName, error: String(error) }, 'an earlier document stays')
    }
  }
  return needless.length > 0
}
