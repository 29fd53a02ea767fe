import { agreeOnce } from './approval-scene.ts'
import { stealToken } from './bound-scene.ts'
import {
  endTask,
  leaveNothing,
  liftBlock,
  lookBefore,
  reportTrouble,
  stayBlocked,
} from './end-scenes.ts'
import { askBeforeEachCall } from './gateway-scene.ts'
import { listEnded, listLive, verifyAudit } from './operator.ts'
import { keepReceipt } from './receipt-scene.ts'
import type { Report, StepReport } from './report.ts'
import type { Stage } from './stage.ts'
import { askForTooMuch, delegate, openTask, strayOutside, useCredentials } from './task-scenes.ts'
import { drawTree, endAtRoot, growTree, lendToAll, stayWithin, Tree } from './tree.ts'

export interface Step {
  readonly name: string
  /** Throws where it did not happen. */
  readonly play: (stage: Stage) => Promise<void>
}

export const STEPS: readonly Step[] = [
  { name: 'a workload proves who it is and opens a task', play: openTask },
  { name: 'the agent gets its credentials and uses each', play: useCredentials },
  { name: 'outside the intent each upstream itself refuses', play: strayOutside },
  { name: 'what no policy permits is not issued', play: askForTooMuch },
  { name: 'a part of the work is passed on to another agent', play: delegate },
  { name: 'a stolen task token is worth nothing without its key', play: stealToken },
  { name: 'what destroys waits for a person, who agrees to it once', play: agreeOnce },
  {
    name: 'a tool gateway asks before each call, and hears no once the risk rose',
    play: askBeforeEachCall,
  },
  { name: 'the operator sees what is live', play: listLive },
  { name: 'the task ends and stolen credentials die', play: endTask },
  { name: 'the operator sees what a kill would break', play: lookBefore },
  { name: 'a signed message contains the agent', play: reportTrouble },
  { name: 'nothing new is issued while it is blocked', play: stayBlocked },
  { name: 'the operator lifts the block and work goes on', play: liftBlock },
  { name: 'the operator sees what became of it', play: listEnded },
  { name: 'a receipt says what became of a credential, without the broker', play: keepReceipt },
  { name: 'the audit log is whole', play: verifyAudit },
  { name: 'nothing that was lent still works', play: leaveNothing },
]

/** `--delegation`: 49 agents on four levels, ended at their root. */
export function delegationStory(): { readonly steps: readonly Step[]; readonly tree: Tree } {
  const tree = new Tree()
  const on = (play: (stage: Stage, tree: Tree) => Promise<void>) => (stage: Stage) =>
    play(stage, tree)
  const steps: readonly Step[] = [
    { name: 'a planner passes its work on, four levels deep', play: on(growTree) },
    { name: 'every agent gets credentials of its own and uses them', play: on(lendToAll) },
    { name: 'nobody gets more than was passed on', play: on(stayWithin) },
    { name: 'the operator sees who works for whom', play: on(drawTree) },
    { name: 'the root ends, and with it everything below', play: on(endAtRoot) },
    { name: 'the audit log is whole', play: verifyAudit },
    { name: 'nothing that was lent still works', play: leaveNothing },
  ]
  return { steps, tree }
}

export interface Played {
  readonly report: Report
  /** Why the step that did not happen did not. */
  readonly failure?: Error
}

/** Plays the steps in order until one fails; the rest then counts as not done. */
export async function playStory(stage: Stage, story: readonly Step[]): Promise<Played> {
  const steps: StepReport[] = []
  let failure: Error | undefined
  for (const { name, play } of story) {
    const startedAt = performance.now()
    if (!failure) {
      stage.timeline.chapter(name)
      failure = await play(stage).then(() => undefined, asError)
    }
    const ms = Math.round(performance.now() - startedAt)
    steps.push({ name, ok: failure === undefined, ms })
  }
  const { providers, audit } = stage
  const report = { ok: failure === undefined, steps, providers, audit }
  return failure ? { report, failure } : { report }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
