/**
 * The deny documents of a role as text: inline policies that refuse every session whose
 * `aws:SourceIdentity` they list. One entry kills every generation of a lease: past, in flight and
 * still to come, because the identity is set at mint and cannot be changed. Beside it statements
 * that refuse many sessions by their tags and when they were issued (tag-denials.ts).
 */
import type { DocumentWriter } from '../../src/model/upstream-writer.ts'
import type { Statement } from './statement.ts'
import { saysTheSame, statementsIn } from './statements-read.ts'
import { type TagDenial, tagStatement } from './tag-denials.ts'

/** All inline policies of a role together, white space not counted; cannot be raised (IAM quotas). */
export const ROLE_INLINE_CHARACTERS = 10_240

/** `mf-` and 20 characters, in quotes, and the comma. */
const ENTRY_CHARACTERS = 26

const IDENTITY = 'aws:SourceIdentity'
const NAME = /^mf-[a-z2-7]{20}$/

export function documentName(installation: string, { epoch, shard }: DocumentWriter): string {
  return `mayfly-${installation}-${shard}-e${epoch}`
}

/** The writer of a document of this installation; undefined: the policy is somebody else's. */
export function documentWriter(
  installation: string,
  policyName: string,
): DocumentWriter | undefined {
  const prefix = `mayfly-${installation}-`
  if (!policyName.startsWith(prefix)) return undefined
  const match = /^(\d+)-e(\d+)$/.exec(policyName.slice(prefix.length))
  if (!match) return undefined
  const writer = { shard: Number(match[1]), epoch: Number(match[2]) }
  // Two names never are one document: none has leading zeros, or more digits than a number keeps.
  return documentName(installation, writer) === policyName ? writer : undefined
}

export function documentText(refused: {
  readonly names: readonly string[]
  readonly tags?: readonly TagDenial[]
  /** A name that no lease bears. */
  readonly canary?: string
}): string {
  const { tags = [], canary } = refused
  const names = canary === undefined ? refused.names : [...refused.names, canary]
  const byName = names.length > 0 || tags.length === 0 ? [namesStatement(names)] : []
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [...byName, ...tags.map(tagStatement)],
  })
}

function namesStatement(names: readonly string[]): Statement {
  const Condition = { StringEquals: { [IDENTITY]: names } }
  return { Effect: 'Deny', Action: '*', Resource: '*', Condition }
}

/** The leases a document surely refuses: those in statements that say just what we would write. */
export function namesRefusedBy(text: string): string[] {
  const refused = statementsIn(text).flatMap((statement) => {
    const names = [statement.Condition?.StringEquals?.[IDENTITY] ?? []].flat().map(String)
    return saysTheSame(statement, namesStatement(names)) ? names : []
  })
  return [...new Set(refused.filter((name) => NAME.test(name)))]
}

/**
 * The leases a document names in whatever way, whoever wrote or edited it: those to be refused by
 * whoever takes it over.
 */
export function namesIn(text: string): string[] {
  return [...new Set(text.match(/\bmf-[a-z2-7]{20}\b/g) ?? [])]
}

/** What IAM counts of a policy. */
export function countedCharacters(text: string): number {
  return text.replace(/\s/g, '').length
}

/** How many leases one document of this many characters can list. */
export function entriesWithin(characters: number): number {
  return Math.max(
    0,
    Math.floor((characters - documentText({ names: [] }).length + 1) / ENTRY_CHARACTERS),
  )
}

/**
 * How many leases of one role can be refused early at once: half of what an otherwise empty role
 * holds, so that kills always find room.
 */
export function groupCapacity(): number {
  return Math.floor(entriesWithin(ROLE_INLINE_CHARACTERS) / 2)
}
