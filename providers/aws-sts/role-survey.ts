import {
  countedCharacters,
  documentWriter,
  namesIn,
  namesRefusedBy,
  type Writer,
} from './deny-documents.ts'
import type { InlinePolicy } from './role-policies.ts'
import { type TagDenial, tagDenialsIn } from './tag-denials.ts'

/** A document of this installation by an earlier writer, which refuses what it names by itself. */
export interface EarlierDocument {
  readonly policyName: string
  readonly text: string
  /** What it names in whatever way, for whoever takes it over. */
  readonly names: readonly string[]
  /** Those of them that it surely refuses. */
  readonly refused: readonly string[]
  readonly tags: readonly Omit<TagDenial, 'until'>[]
  readonly characters: number
}

/** What a role's inline policies hold beside the document of one writer. */
export interface Survey {
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
  { installation, writer }: { installation: string; writer: Writer },
): Survey {
  const earlier: EarlierDocument[] = []
  let othersCharacters = 0
  let outdated = false
  let shared = false
  for (const { name, text } of policies) {
    const by = documentWriter(installation, name)
    const characters = countedCharacters(text)
    if (by && by.epoch === writer.epoch && by.shard === writer.shard) continue
    if (by && isEarlier(by, writer)) {
      const [names, tags] = [namesIn(text), tagDenialsIn(text)]
      const refused = namesRefusedBy(text)
      earlier.push({ policyName: name, text, names, refused, tags, characters })
    } else {
      othersCharacters += characters
      outdated ||= by !== undefined
      shared ||= by === undefined && ANY_DOCUMENT.test(name)
    }
  }
  return { earlier, othersCharacters, outdated, shared }
}

/** Characters of everything but the writer's own document. */
export function charactersBeside(survey: Survey): number {
  return survey.earlier.reduce((sum, { characters }) => sum + characters, survey.othersCharacters)
}

/** The first shard of the epoch that nobody wrote yet. */
export function freeShard(
  policies: readonly InlinePolicy[],
  { installation, epoch }: { installation: string; epoch: number },
): number {
  const shards = policies.flatMap(({ name }) => {
    const by = documentWriter(installation, name)
    return by?.epoch === epoch ? [by.shard + 1] : []
  })
  return Math.max(0, ...shards)
}

function isEarlier(by: Writer, writer: Writer): boolean {
  return by.epoch < writer.epoch || (by.epoch === writer.epoch && by.shard < writer.shard)
}
