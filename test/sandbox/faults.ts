import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What can go wrong between a client and an upstream:
 * `fail` answers with a status instead of doing it, or something before it does, `by` whose clock; `slow` waits first, then does it; `hang` never
 * answers and does nothing; `lose` does it and cuts the connection; `lie` answers as if it had
 * done it; `garbage` does it and answers nonsense; `late` answers nothing, does it after `ms`;
 * `stray` cuts the connection at once, and does it after `ms`.
 */
export type Fault =
  | { kind: 'fail'; status: number; code?: string; retryAfterSeconds?: number; by?: () => number }
  | { kind: 'slow'; ms: number }
  | { kind: 'hang' }
  | { kind: 'lose' }
  | { kind: 'lie' }
  | { kind: 'garbage' }
  | { kind: 'late'; ms: number }
  | { kind: 'stray'; ms: number }

interface Planned {
  operation: string
  fault: Fault
  times: number
}

/** The faults a test has planned, by operation name (`*` is any). */
export class Faults {
  #planned: Planned[] = []
  /** How long an upstream waits is real time, unless a test brings its own. */
  wait: (ms: number) => Promise<unknown> = sleep
  /** Calls that are being kept waiting now. */
  waiting = 0
  /** Calls that have arrived so far. */
  taken = 0

  /** Plans `fault` for the next `times` calls of `operation`. */
  plan(operation: string, fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.#planned.push({ operation, fault, times })
  }

  clear(): void {
    this.#planned = []
  }

  /** Takes the fault due for this call, if any. */
  take(operation: string): Fault | undefined {
    this.taken += 1
    const due = this.#planned.find((p) => p.operation === operation || p.operation === '*')
    if (!due) return undefined
    due.times -= 1
    if (due.times <= 0) this.#planned = this.#planned.filter((p) => p !== due)
    return due.fault
  }
}

export interface Answer {
  status: number
  headers?: Record<string, string>
  body: string
}

/**
 * Runs one operation of a sandbox server under the planned fault, and answers.
 * `pretend` is what a lying upstream says without having done anything.
 */
export async function answerUnderFaults(call: {
  faults: Faults
  operation: string
  response: ServerResponse
  perform: () => Answer | Promise<Answer>
  pretend: () => Answer
  refuse: (status: number, code: string | undefined) => Answer
}): Promise<void> {
  const { faults, operation, response, perform } = call
  const fault = faults.take(operation)
  switch (fault?.kind) {
    case undefined:
      return send(response, await perform())
    case 'fail':
      return send(response, refusal(call.refuse(fault.status, fault.code), fault))
    case 'slow':
      await waited(call, fault.ms)
      return send(response, await perform())
    case 'hang':
      faults.waiting += 1
      response.once('close', () => {
        faults.waiting -= 1
      })
      return
    case 'lose':
      await perform()
      response.destroy()
      return
    case 'lie':
      return send(response, call.pretend())
    case 'garbage':
      await perform()
      return send(response, { status: 200, body: '\u0000<not>{what you expect' })
    case 'late':
      await waited(call, fault.ms)
      await perform()
      response.destroy()
      return
    case 'stray':
      response.destroy()
      await faults.wait(fault.ms)
      await perform()
      return
  }
}

/** Whoever leaves meanwhile is not kept waiting any more, though it is done all the same. */
async function waited(call: { faults: Faults; response: ServerResponse }, ms: number) {
  const { faults, response } = call
  let kept = true
  const over = () => {
    if (kept) faults.waiting -= 1
    kept = false
  }
  faults.waiting += 1
  response.once('close', over)
  await faults.wait(ms)
  over()
}

function refusal(answer: Answer, { retryAfterSeconds, by }: Fault & { kind: 'fail' }): Answer {
  const headers = {
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    ...(by === undefined ? {} : { date: new Date(by()).toUTCString() }),
  }
  return { ...answer, headers: { ...answer.headers, ...headers } }
}

function send(response: ServerResponse, answer: Answer): void {
  if (response.destroyed) return
  response.writeHead(answer.status, answer.headers)
  response.end(answer.body)
}
