/** An upstream accepted an end and does not show it, though it had the time. */
export interface Doubt {
  /** Nothing that was ended there may be refused. */
  readonly group: string
  /** Readable, without secrets. */
  readonly what: string
}
