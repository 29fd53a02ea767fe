export const DIRECTIONS = ['mint', 'revoke'] as const
export type Direction = (typeof DIRECTIONS)[number]

/** So long after the last failure an open circuit lets one mint try again. */
export const PAUSE_MS: Readonly<Record<Direction, number>> = {
  mint: 10_000,
  // Whatever still waits to be ended is tried, and fails, more often than that: by then nothing
  // waits any more that could prove an end works.
  revoke: 180_000,
}

export interface Circuit {
  readonly provider: string
  readonly direction: Direction
  /** Nothing is minted meanwhile; ends and kills are tried all the same. */
  readonly open: boolean
  /** In a row, until now. */
  readonly failures: number
}
