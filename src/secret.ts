import { inspect } from 'node:util'

const REDACTED = '[redacted]'

/** A value that must not be printed: string conversion, JSON and `util.inspect` all redact it. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself; call this only where it leaves for its one recipient. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [inspect.custom](): string {
    return REDACTED
  }
}
