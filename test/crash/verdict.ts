import { ChainVerifier } from '../../src/audit/verify.ts'
import type { Ledger, MintRecord } from '../sandbox/ledger.ts'
import { isProbe } from '../sandbox/probes.ts'
import { SecretSearch } from '../secret-search.ts'
import { type KnownLease, lineOf, type Memory, reaches } from './memory.ts'
import type { Stored, StoredLease } from './stored.ts'
import { judgeConsent } from './verdict-of-consent.ts'

/** One promise looked at; without problems it was kept. */
export interface Check {
  readonly name: string
  readonly looked: number
  readonly problems: readonly string[]
}

/** What the upstreams' own ledger and the parent's memory say about what the store says. */
export function judge(facts: {
  readonly stored: Stored
  readonly ledger: Ledger
  readonly memory: Memory
  readonly now: number
}): Check[] {
  const lastAllowed = lastAllowedUses(facts.ledger)
  const minted = facts.ledger.minted.filter(
    (record) => record.name !== undefined && !isProbe(record),
  )
  return [
    everyCredentialIsKnown(minted, facts),
    noneWorksPastItsLease(minted, { ...facts, lastAllowed }),
    everyLeaseIsSettled(facts.stored),
    acknowledgedIssuesStand(facts),
    acknowledgedEndsStand(facts),
    acknowledgedKillsStand(facts),
    nothingWasIssuedAgainstABlock(facts.memory),
    ...judgeConsent(facts),
    chainVerifies(facts.stored),
  ]
}

/** P2: no secret that crossed a wire is in any file below `dir`. */
export function secretsAreNowhere(dir: string, secrets: readonly string[]): Check {
  const search = new SecretSearch({ secrets })
  search.files(dir)
  const problems = search.found
  return { name: 'P2: no secret in database, WAL or log', looked: secrets.length, problems }
}

type Facts = Parameters<typeof judge>[0]

function everyCredentialIsKnown(minted: readonly MintRecord[], { stored }: Facts): Check {
  const problems = minted
    .filter(({ name }) => !stored.leasesByName.has(name ?? ''))
    .map(({ upstream, name }) => `${upstream} minted ${name}, which no lease knows`)
  return { name: 'P1: no credential is unknown to the store', looked: minted.length, problems }
}

function noneWorksPastItsLease(
  minted: readonly MintRecord[],
  { stored, now, lastAllowed }: Facts & { lastAllowed: ReadonlyMap<string, number> },
): Check {
  const problems = minted.flatMap((record) => {
    const lease = stored.leasesByName.get(record.name ?? '')
    if (!lease) return []
    const about = `${record.upstream} ${record.name} (${stateOf(lease)})`
    const used = lastAllowed.get(record.fingerprint) ?? 0
    if (used > lease.exposed_until) {
      return [`${about} was honoured ${used - lease.exposed_until} ms after exposed_until`]
    }
    if (lease.state === 'ended' && lease.ended_at !== null && used > lease.ended_at) {
      return [`${about} was honoured ${used - lease.ended_at} ms after it had ended`]
    }
    if (!record.works()) return []
    if (lease.state === 'ended' || lease.state === 'failed') return [`${about} works`]
    return lease.exposed_until < now ? [`${about} works after exposed_until`] : []
  })
  return {
    name: 'P6: none works past its exposed_until, nothing ended works',
    looked: minted.length,
    problems,
  }
}

function everyLeaseIsSettled({ leases }: Stored): Check {
  const problems = [...leases.values()]
    .filter((lease) => lease.state === 'reserved' || lease.renewing === 1)
    .map((lease) => `${lease.upstream_name} is ${lease.renewing === 1 ? 'renewing' : lease.state}`)
  return { name: 'P1: nothing stays reserved', looked: leases.size, problems }
}

function acknowledgedIssuesStand({ stored, memory }: Facts): Check {
  const activated = new Set(
    stored.audit.filter(({ type }) => type === 'lease.activated').map(({ lease }) => lease),
  )
  const problems = memory.leases
    .filter(({ id }) => !stored.leases.has(id) || !activated.has(id))
    .map((lease) => `${lease.name}, issued in round ${lease.issued.round}, is not in the store`)
  const lost = memory.tasks
    .filter(({ id }) => !stored.taskStates.has(id))
    .map((task) => `${task.id}, opened in round ${task.opened.round}, is not in the store`)
  const looked = memory.leases.length + memory.tasks.length
  return { name: 'no acknowledged answer is forgotten', looked, problems: [...problems, ...lost] }
}

function acknowledgedEndsStand({ stored, memory }: Facts): Check {
  const ended = memory.leases.filter(
    (lease) => lease.ended ?? lineOf(lease.task).some(({ ended }) => ended),
  )
  const problems = ended
    .filter((lease) => !isEnding(stored, lease))
    .map((lease) => undone(lease, stored))
  const tasks = memory.tasks.filter((task) => lineOf(task).some(({ ended }) => ended))
  const open = tasks
    .filter(({ id }) => stored.taskStates.get(id) !== 'ended')
    .map((task) => `${task.id}, ended in round ${task.ended?.round}, is open`)
  const looked = ended.length + tasks.length
  return { name: 'P6: no acknowledged end is undone', looked, problems: [...problems, ...open] }
}

const UNNAMED = { open: 0, blockedUntil: undefined }

function acknowledgedKillsStand({ stored, memory }: Facts): Check {
  const problems = memory.kills.flatMap((kill) => {
    // A security event's answer names no kill: what it did is seen at its leases.
    const row = kill.id === undefined ? UNNAMED : stored.kills.get(kill.id)
    const about = `${kill.id ?? 'a security event'} of round ${kill.ordered.round}`
    if (!row) return [`${about} is not in the store`]
    const blocked = row.blockedUntil === null ? Number.POSITIVE_INFINITY : row.blockedUntil
    const unblocked = kill.blockedUntil !== undefined && (blocked ?? 0) < kill.blockedUntil
    return [
      ...(row.open === 1 ? [`${about} is not carried out`] : []),
      ...(unblocked ? [`${about} does not block as long as it said`] : []),
      ...memory.leases
        .filter((lease) => reaches(kill.selector, lease) && lease.issued.at < kill.ordered.sentAt)
        .filter((lease) => !isEnding(stored, lease))
        .map((lease) => `${about} missed ${undone(lease, stored)}`),
    ]
  })
  const looked = memory.kills.length
  return { name: 'P8: no acknowledged kill is undone', looked, problems }
}

function nothingWasIssuedAgainstABlock({ leases, kills }: Memory): Check {
  const problems = kills.flatMap(({ id, selector, ordered, blockedUntil = 0 }) =>
    leases
      .filter((lease) => reaches(selector, lease))
      .filter(({ issued }) => issued.sentAt > ordered.at && issued.at < blockedUntil)
      .map((lease) => `${lease.name} was issued while ${id} forbade it`),
  )
  return { name: 'P8: nothing is issued against a block', looked: kills.length, problems }
}

function chainVerifies({ audit }: Stored): Check {
  const verifier = new ChainVerifier()
  for (const event of audit) verifier.add(event)
  const { problems } = verifier.result()
  return { name: 'P12: the audit chain verifies', looked: audit.length, problems }
}

function isEnding({ leases }: Stored, { id }: KnownLease): boolean {
  const state = leases.get(id)?.state
  return state === 'ending' || state === 'ended'
}

function undone(lease: KnownLease, { leases }: Stored): string {
  const row = leases.get(lease.id)
  return `${lease.name} of round ${lease.issued.round}, which is ${row ? stateOf(row) : 'absent'}`
}

function stateOf({ state, containment, last_error }: StoredLease): string {
  return [state, containment, last_error].filter((part) => part !== null).join(', ')
}

function lastAllowedUses({ uses }: Ledger): Map<string, number> {
  const last = new Map<string, number>()
  for (const { fingerprint, at, allowed } of uses) if (allowed) last.set(fingerprint, at)
  return last
}
