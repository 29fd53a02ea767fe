import type { DocumentWriter } from '../../src/model/upstream-writer.ts'
import {
  countedCharacters,
  documentWriter,
  namesIn,
  namesRefusedBy,
  ROLE_INLINE_CHARACTERS,
} from './deny-documents.ts'
import type { InlinePolicy } from './role-policies.ts'
import { type TagDenial, tagDenialsIn } from './tag-denials.ts'

/** A document of this installation by another writer, which refuses what it names by itself. */
export interface EarlierDocument {
  readonly policyName: string
  readonly by: DocumentWriter
  /** By somebody in this process, so that it may change at any moment. */
  readonly isWritten: boolean
  readonly text: string
  /** What it names in whatever way, for whoever takes it over. */
  readonly names: readonly string[]
  /** Those of them that it surely refuses. */
  readonly refused: readonly string[]
  readonly tags: readonly Omit<TagDenial, 'until'>[]
  readonly characters: number
}

/** What a role's inline policies hold, for one writer. */
export interface Survey {
  /** What stands under the writer's own name. */
  readonly own?: EarlierDocument
  readonly earlier: readonly EarlierDocument[]
  /** Characters of all the rest, which is not ours to write. */
  readonly othersCharacters: number
  /** A later epoch writes here: this broker is outdated. */
  readonly outdated: boolean
  /** Another installation ends leases here: its sessions may bear the same tags as ours. */
  readonly shared: boolean
}

/** Whether another installation ends leases here, by the names of the role's inline policies. */
export function othersEndHere(names: readonly string[], installation: string): boolean {
  return names.some(
    (name) => ANY_DOCUMENT.test(name) && documentWriter(installation, name) === undefined,
  )
}

/** A document of whatever installation. */
const ANY_DOCUMENT = /^mayfly-.+-\d+-e\d+$/

export const EMPTY_SURVEY: Survey = {
  earlier: [],
  othersCharacters: 0,
  outdated: false,
  shared: false,
}

export function surveyOf(
  policies: readonly InlinePolicy[],
  facts: {
    readonly installation: string
    readonly writer: DocumentWriter
    /** Whether somebody else in this process writes a document. */
    readonly isWritten: (by: DocumentWriter) => boolean
  },
): Survey {
  const { installation, writer, isWritten } = facts
  const earlier: EarlierDocument[] = []
  let own: EarlierDocument | undefined
  let othersCharacters = 0
  let outdated = false
  let shared = false
  for (const { name, text } of policies) {
    const by = documentWriter(installation, name)
    if (by && by.epoch <= writer.epoch) {
      const document = { ...readDocument(name, text), by, isWritten: isWritten(by) }
      if (by.epoch === writer.epoch && by.shard === writer.shard) own = document
      else earlier.push(document)
    } else {
      othersCharacters += countedCharacters(text)
      outdated ||= by !== undefined
      shared ||= by === undefined && ANY_DOCUMENT.test(name)
    }
  }
  return { ...(own && { own }), earlier, othersCharacters, outdated, shared }
}

function readDocument(policyName: string, text: string) {
  return {
    policyName,
    text,
    names: namesIn(text),
    refused: namesRefusedBy(text),
    tags: tagDenialsIn(text),
    characters: countedCharacters(text),
  }
}

/** Characters of everything but the writer's own document. */
export function charactersBeside(survey: Survey): number {
  return survey.earlier.reduce((sum, { characters }) => sum + characters, survey.othersCharacters)
}

export function fullMessage(survey: Survey, entries: number): string {
  return (
    `the role's inline policies hold at most ${ROLE_INLINE_CHARACTERS} characters: others take ` +
    `${charactersBeside(survey)}, and ${entries} entries are listed; move permissions ` +
    'to managed policies or wait for listed leases to die'
  )
}
