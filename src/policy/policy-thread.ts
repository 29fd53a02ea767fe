import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadAnswer, ThreadQuestion, ThreadStart } from './apart.ts'
import { questionOf } from './described.ts'
import { decideAll, loadPolicies } from './engine.ts'

/** What runs in a thread of its own for `apart.ts`: one policy set, asked by messages. */
const load = loadPolicies((workerData as ThreadStart).sources) // what `apart.ts` starts it with

function say(answer: ThreadAnswer): void {
  parentPort?.postMessage(answer)
}

say(load.ok ? { loaded: load.engine.hash } : { problems: load.problems })
parentPort?.on('message', ({ number, described }: ThreadQuestion) => {
  const questions = described.map((one) => questionOf(one))
  const decision = load.ok ? decideAll(load.engine, questions) : undefined
  if (!decision) return say({ number, decision: undefined })
  const { outcome, policies, rails, reasons, policyHash } = decision
  say({ number, decision: { outcome, policies, rails, reasons, policyHash } })
})
