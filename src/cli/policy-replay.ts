import type { ApiClient } from '../client/http.ts'
import { everyItem } from '../client/pages.ts'
import { parseDuration } from '../duration.ts'
import type { DecisionWire } from '../model/wire.ts'
import { agentDescription, questionOf } from '../policy/described.ts'
import { decideAll, type PolicyEngine } from '../policy/engine.ts'
import { type Context, type ExitCode, UsageError } from './command.ts'
import { plural } from './plural.ts'
import { loadDirectory } from './policy-check.ts'
import { when } from './when.ts'

/** A past decision that the new policies would make differently. */
interface Change {
  readonly decision: DecisionWire
  readonly would: {
    readonly outcome: DecisionWire['outcome']
    readonly policies: readonly string[]
  }
}

interface Replayed {
  readonly replayed: number
  /** Refused by a rail, or kept without what the policies were asked: no policy changes these. */
  readonly skipped: number
  readonly changes: readonly Change[]
}

const PAGE = 200

/**
 * `policy replay`: asks a directory of policies what past decisions asked, here and not in the
 * broker, and lists those that would come out differently. Nothing is changed.
 */
export async function replayPolicies(
  context: Context,
  flags: { readonly policies: string; readonly since: string },
): Promise<ExitCode> {
  const { terminal, now } = context
  const seconds = parseDuration(flags.since)
  if (seconds === undefined) throw new UsageError('--since must be a duration such as 12h or 7d')
  const engine = loadDirectory(context, flags.policies)
  if (engine === undefined) return 1
  const since = new Date(now() - seconds * 1000).toISOString()
  const found = await replay(context.api(), { engine, since })
  if (terminal.json) {
    terminal.answer({ policy_hash: engine.hash, since, ...found })
    return 0
  }
  terminal.table(
    [
      { title: 'DECISION', cell: ({ decision }) => decision.id, keep: true },
      { title: 'WAS', cell: ({ decision }) => decision.outcome },
      { title: 'WOULD BE', cell: ({ would }) => would.outcome },
      { title: 'BY', cell: ({ would }) => would.policies.join(', ') || 'no policy' },
      { title: 'AGENT', cell: ({ decision }) => decision.agent },
      { title: 'FOR', cell: ({ decision }) => decision.entitlement ?? decision.action },
      { title: 'AT', cell: ({ decision }) => when(decision.at, now()), spare: true },
    ],
    found.changes,
    'nothing would change',
  )
  terminal.line()
  terminal.line(
    `${plural(found.replayed, 'decision')} replayed, ${found.changes.length} would change${found.skipped > 0 ? `, ${found.skipped} rest on no policy` : ''}`,
  )
  return 0
}

async function replay(
  api: ApiClient,
  { engine, since }: { engine: PolicyEngine; since: string },
): Promise<Replayed> {
  const changes: Change[] = []
  let [replayed, skipped] = [0, 0]
  const pages = (cursor: string | undefined) =>
    api.decisions({
      since,
      inputs: 'true',
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    })
  for await (const { inputs, ...decision } of everyItem(pages)) {
    const read = agentDescription.array().safeParse(inputs ?? [])
    const questions = (read.data ?? []).map((input) => questionOf(input))
    const would = decision.rails.length > 0 ? undefined : decideAll(engine, questions)
    if (!would) {
      skipped += 1
      continue
    }
    replayed += 1
    if (would.outcome === decision.outcome) continue
    changes.push({ decision, would: { outcome: would.outcome, policies: would.policies } })
  }
  return { replayed, skipped, changes }
}
