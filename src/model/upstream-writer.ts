/** By whom a document is: the store's epoch, and within it one uninterrupted run of writes. */
export interface DocumentWriter {
  readonly epoch: number
  readonly shard: number
}

/** Who writes upstream documents, and what it knows of what it finds in those of its predecessors. */
export interface UpstreamWriter {
  /**
   * A restored store has a higher one, adopts what it finds of lower ones, and never drops an entry
   * it does not know to be dead.
   */
  readonly epoch: number
  /**
   * A number for a document that is written as a whole at this place, another one each time: of this
   * epoch nobody else has it of whom a write could still arrive, so what an earlier process wrote
   * under it can be taken over where it is.
   */
  shardFor(place: string): number
  /** Whoever had this number writes nothing under it any more. */
  leave(place: string, shard: number): void
  /** Whether somebody in this process writes that document: it may change at any moment. */
  isWritten(place: string, by: DocumentWriter): boolean
  /**
   * Asked before a document is deleted; false: it must not be, since it is written still. From then
   * on nobody is given its number, here or in the next process, while the deletion may arrive.
   */
  retire(place: string, by: DocumentWriter): boolean
  /**
   * When the lease of this name is surely dead by itself; undefined where nobody knows: it is not of
   * this store, from before a restore, or may still be renewed.
   */
  latestExpiry(upstreamName: string): number | undefined
  /** When this store took its successor's place, if it ever did: what that one did since is unknown. */
  readonly restoredAt?: number | undefined
}
