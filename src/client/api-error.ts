import type { ProblemWire } from '../model/wire.ts'

/** Mayfly answered, and the answer is no. */
export class ApiError extends Error {
  readonly status: number
  /** From the closed list of `errors.ts`; `unknown` where the answer was not Mayfly's own. */
  readonly code: string
  /** The RFC 9457 answer as it came; absent where something else answered, such as a proxy. */
  readonly problem: ProblemWire | undefined

  constructor(answer: { status: number; message: string; problem?: ProblemWire }) {
    super(answer.message)
    this.name = 'ApiError'
    this.status = answer.status
    this.code = answer.problem?.code ?? 'unknown'
    this.problem = answer.problem
  }
}

/** No answer came: what was tried, and what to do. The outcome of a write is then unknown. */
export class UnreachableError extends Error {
  readonly url: string

  constructor(url: string, message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'UnreachableError'
    this.url = url
  }
}
