import { Worker } from 'node:worker_threads'
import type { Problem } from '../errors.ts'
import type { Decision } from '../model/decision.ts'
import type { AgentDescription } from './described.ts'
import type { PolicySource } from './policy-set.ts'

/** A policy set in a thread of its own: nothing it does can slow whoever asks. */
export interface PolicyThread {
  /** Once it is loaded: its hash, or everything that is wrong with it. */
  readonly loaded: Promise<
    | { readonly ok: true; readonly hash: string }
    | { readonly ok: false; readonly problems: readonly Problem[] }
  >
  /** What it says to questions that must all be permitted. Rejects once the thread has ended. */
  decide(described: readonly AgentDescription[]): Promise<Decision | undefined>
  close(): Promise<void>
}

export interface ThreadStart {
  readonly sources: readonly PolicySource[]
}
export interface ThreadQuestion {
  readonly number: number
  readonly described: readonly AgentDescription[]
}
export type ThreadAnswer =
  | { readonly loaded: string }
  | { readonly problems: readonly Problem[] }
  | { readonly number: number; readonly decision: Decision | undefined }

/** The thread ends by itself with the process; whoever started it closes it. */
export function startPolicyThread(sources: readonly PolicySource[]): PolicyThread {
  const start: ThreadStart = { sources }
  const worker = new Worker(scriptUrl(), { workerData: start, resourceLimits: LIMITS })
  worker.unref()
  const waiting = new Map<number, PromiseWithResolvers<Decision | undefined>>()
  const loaded = Promise.withResolvers<Awaited<PolicyThread['loaded']>>()
  let asked = 0
  let ended: Error | undefined
  const end = (error: Error) => {
    ended ??= error
    loaded.reject(ended)
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  // Nobody may be waiting for either when it ends.
  loaded.promise.catch(() => undefined)
  worker.on('error', (error) => end(error instanceof Error ? error : new Error(String(error))))
  worker.on('exit', () => end(new Error('the thread of the policies has ended')))
  worker.on('message', (answer: ThreadAnswer) => {
    if ('loaded' in answer) return loaded.resolve({ ok: true, hash: answer.loaded })
    if ('problems' in answer) return loaded.resolve({ ok: false, problems: answer.problems })
    waiting.get(answer.number)?.resolve(answer.decision)
    waiting.delete(answer.number)
  })
  return {
    loaded: loaded.promise,
    decide: (described) => {
      if (ended) return Promise.reject(ended)
      asked += 1
      const answer = Promise.withResolvers<Decision | undefined>()
      waiting.set(asked, answer)
      const question: ThreadQuestion = { number: asked, described }
      worker.postMessage(question)
      return answer.promise
    },
    close: async () => {
      await worker.terminate()
    },
  }
}

/** What no policy set of any size in use needs; a thread that does ends, and only it. */
const LIMITS = { maxOldGenerationSizeMb: 256 }

/** Beside this file, in the sources and in `dist`. */
function scriptUrl(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./policy-thread.${extension}`, import.meta.url)
}
