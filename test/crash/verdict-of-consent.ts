import type { Memory } from './memory.ts'
import type { Stored } from './stored.ts'
import type { Check } from './verdict.ts'

/** What persons, policies and planners said, held against what was issued. */
export function judgeConsent(facts: { readonly stored: Stored; readonly memory: Memory }): Check[] {
  return [approvalsAreUsedOnce(facts), closuresHold(facts), delegationsAreUsedOnce(facts)]
}

function approvalsAreUsedOnce({ stored, memory }: Parameters<typeof judgeConsent>[0]): Check {
  const uses = new Map<string, number>()
  for (const { approval } of stored.leases.values()) {
    if (approval !== null) uses.set(approval, (uses.get(approval) ?? 0) + 1)
  }
  const twice = [...uses].filter(([, times]) => times > 1).map(([id]) => `${id} was used twice`)
  const problems = memory.approvals.flatMap(({ id, asked, granted, denied }) => {
    const row = stored.approvals.get(id)
    const about = `${id}, asked for in round ${asked.round},`
    if (!row) return [`${about} is not in the store`]
    if (denied && row.state !== 'denied' && row.state !== 'expired')
      return [`${about} was denied and is ${row.state}`]
    if (denied && uses.has(id)) return [`${about} was denied and used`]
    return granted && row.state === 'pending' ? [`${about} was granted and is pending`] : []
  })
  const name = 'an approval is used once, what was said of it stands'
  return { name, looked: memory.approvals.length, problems: [...twice, ...problems] }
}

/** P7: from an acknowledged reload on nothing is issued, and in the end nothing lives, against it. */
function closuresHold({ stored, memory }: Parameters<typeof judgeConsent>[0]): Check {
  const problems = memory.closures.flatMap(({ agent, entitlement, closed, opened }) => {
    const meant = memory.leases.filter(
      (lease) => lease.task.agent === agent && lease.entitlement === entitlement,
    )
    const until = opened ?? Number.POSITIVE_INFINITY
    const issued = meant
      .filter((lease) => lease.issued.sentAt > closed.at && lease.issued.at < until)
      .map((lease) => `${lease.name} was issued against the policies of round ${closed.round}`)
    const live = meant
      .filter(({ issued }) => issued.at < closed.sentAt)
      .filter(({ id }) => stored.leases.get(id)?.state === 'active')
      .map((lease) => `${lease.name} outlived the policies of round ${closed.round}`)
    return [...issued, ...live]
  })
  return { name: 'P7: a reload holds', looked: memory.closures.length, problems }
}

function delegationsAreUsedOnce({ stored, memory }: Parameters<typeof judgeConsent>[0]): Check {
  const problems = memory.delegations.flatMap(({ id, child, made }) => {
    const row = stored.delegations.get(id)
    if (!row) return [`${id} of round ${made.round} is not in the store`]
    if (child !== undefined && row.child !== child)
      return [`${id} opened ${child}, not ${row.child}`]
    return []
  })
  const known = new Set([...stored.delegations.values()].map(({ child }) => child))
  const strangers = [...stored.children]
    .filter((id) => !known.has(id))
    .map((id) => `${id} has a parent that passed nothing on to it`)
  const looked = memory.delegations.length
  return { name: 'a delegation is used once', looked, problems: [...problems, ...strangers] }
}
