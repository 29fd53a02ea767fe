/** Who acts outermost, who delegated first innermost (RFC 8693 §4.1). */
export interface ActWire {
  sub: string
  task?: string | undefined
  act?: ActWire | undefined
}
