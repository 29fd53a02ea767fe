/** Who has leases of a group that nobody ordered to end, and when that was so. */
export interface GroupUse {
  /** Whatever is not among the holders was reserved later. */
  readonly asOf: number
  /** Each with the instant before which nothing of its was reserved that is still in use. */
  readonly holders: readonly {
    readonly tenant: string
    readonly agent: string
    readonly task: string
    readonly since: number
  }[]
  /** Leases that end, but of which a renewal is under way that may still land. */
  readonly renewing: readonly string[]
}
