import type { IssuedWire } from '../../src/model/wire.ts'
import { answered, apiWith, type LoadParts } from './load-parts.ts'
import type { KnownTask } from './memory.ts'

/** What nobody gets without a person's yes. */
export const APPROVED = 'vault-approved'

/** Asks for what takes an approval; the credential, once somebody has said yes to it. */
export async function askWithApproval(
  parts: LoadParts,
  task: KnownTask,
): Promise<IssuedWire | undefined> {
  const { memory } = parts
  const sentAt = Date.now()
  const request = { entitlement: APPROVED }
  const answer = await apiWith(parts, task.token).requestCredential(task.id, request)
  if ('credential' in answer) return answer
  const { id } = answer.approval
  if (memory.approvals.some((known) => known.id === id)) return undefined
  memory.approvals.push({ id, task, asked: answered(parts, sentAt) })
  memory.acknowledge()
  return undefined
}

/** An operator says yes, mostly; now and then no, also to what they said yes to before. */
export async function decideApproval(parts: LoadParts): Promise<void> {
  const { memory, seeded, operatorToken } = parts
  const open = memory.approvals.filter(({ denied, over }) => !denied && !over).slice(-10)
  if (open.length === 0) return
  const approval = seeded.pick(open)
  const sentAt = Date.now()
  const api = apiWith(parts, operatorToken)
  const no = approval.granted !== undefined ? seeded.chance(0.3) : seeded.chance(0.2)
  try {
    if (no) {
      await api.deny(approval.id, 'not now')
      approval.denied = answered(parts, sentAt)
    } else {
      await api.approve(approval.id)
      approval.granted ??= answered(parts, sentAt)
    }
  } catch (error) {
    approval.over = true // used or expired meanwhile, or nobody knows
    throw error
  }
  memory.acknowledge()
}
