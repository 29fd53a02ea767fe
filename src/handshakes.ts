import type { Clock } from './clock.ts'

/** A handshake takes no longer; node ends one that does. */
export const HANDSHAKE_MS = 10_000

/**
 * Which authorities a handshake that has just ended can have relied on. One that began before they
 * were replaced relied on those before, so for as long as a handshake may take both are named.
 */
export class Handshakes {
  readonly #clock: Clock
  #authorities: readonly string[]
  #before: readonly string[] = []
  #replacedAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, authorities: readonly string[]) {
    this.#clock = clock
    this.#authorities = authorities
  }

  replace(authorities: readonly string[]): void {
    this.#before = this.reliedOn()
    this.#authorities = authorities
    this.#replacedAt = this.#clock.monotonic()
  }

  reliedOn(): readonly string[] {
    const recent = this.#clock.monotonic() - this.#replacedAt <= HANDSHAKE_MS
    return recent ? [...new Set([...this.#authorities, ...this.#before])] : this.#authorities
  }
}
