import { type Clock, HeardClock, mayBeAProxys } from '../../src/clock.ts'

/** One step of the SDK; of what it is called with nothing is read, so it is of whatever type. */
type Step = (args: never) => Promise<{ readonly response: unknown }>

/** What its HTTP handler answers, as far as it is read here. */
interface RawAnswer {
  readonly statusCode?: unknown
  readonly headers?: { readonly date?: unknown }
}

/** The part of an SDK command or client that middleware is added to. */
export interface WithMiddleware {
  readonly middlewareStack: {
    add(middleware: (next: Step) => Step, options: object): void
  }
}

/** AWS's clock as its `Date` headers tell it, carried on by our tick. Whole seconds. */
export class UpstreamClock {
  readonly #clock: Clock
  readonly #heard: HeardClock

  constructor(clock: Clock) {
    this.#clock = clock
    this.#heard = new HeardClock(clock)
  }

  /** Reads the header of the answers that the client or command gets. */
  watch(client: WithMiddleware): void {
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        // The SDK leaves it open; what is read of it is looked at below.
        const { statusCode, headers } = (result.response ?? {}) as RawAnswer
        const date = headers?.date
        if (typeof date === 'string' && !mayBeAProxys(statusCode))
          this.#heard.hear(Date.parse(date))
        return result
      },
      { step: 'deserialize', priority: 'low', name: 'mayflyUpstreamClock' },
    )
  }

  /** AWS's time now; undefined before its first answer. */
  now(): number | undefined {
    return this.#heard.now()
  }

  /** How far AWS's clock is ahead of ours in milliseconds; 0 while unknown or within precision. */
  skew(): number {
    const theirs = this.now()
    if (theirs === undefined) return 0
    const skew = theirs - this.#clock.now()
    return Math.abs(skew) < PRECISION_MS ? 0 : skew
  }
}

/** The header has whole seconds and travels: smaller differences mean nothing. */
const PRECISION_MS = 2_000
