/** One page of a list: as many rows at most, from behind the last one seen. */
export interface Page {
  readonly limit: number
  readonly after: string | undefined
}
