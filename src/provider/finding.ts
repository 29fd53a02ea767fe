export interface Finding {
  /** `blocking`: nothing may be minted while it stands (P17). */
  readonly level: 'ok' | 'warning' | 'blocking'
  readonly what: string
  readonly fix?: string
}
