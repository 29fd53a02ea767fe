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
  /**
   * When the lease of this name is surely dead by itself; undefined where nobody knows: it is not of
   * this store, from before a restore, or may still be renewed.
   */
  latestExpiry(upstreamName: string): number | undefined
}
