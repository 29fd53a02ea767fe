/** A number is this process's in these steps, so that each process has numbers of its own. */
export const PROCESSES = 1_000

/** The numbers under which one process writes documents of a place, each given once. */
export class Shards {
  readonly #process: number
  readonly #given = new Map<string, number>()
  readonly #written = new Set<string>()
  readonly #retired = new Set<string>()

  constructor(process: number) {
    this.#process = process
  }

  next(place: string): number {
    const shard = this.#given.get(place) ?? this.#process
    this.#given.set(place, shard + PROCESSES)
    if (this.#retired.has(keyOf(place, shard))) return this.next(place)
    this.#written.add(keyOf(place, shard))
    return shard
  }

  leave(place: string, shard: number): void {
    this.#written.delete(keyOf(place, shard))
  }

  isWritten(place: string, shard: number): boolean {
    return this.#written.has(keyOf(place, shard))
  }

  /** It is not given any more; false: it is written still. */
  retire(place: string, shard: number): boolean {
    if (this.isWritten(place, shard)) return false
    this.#retired.add(keyOf(place, shard))
    return true
  }
}

function keyOf(place: string, shard: number): string {
  return `${shard} ${place}`
}
