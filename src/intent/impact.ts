import { IMPACTS, type Impact, type IntentItem, type Vocabulary } from '../model/intent.ts'

/**
 * What the items can do of what the strictest checks are kept for: the union over every action on
 * every location. An item this vocabulary does not understand counts as everything.
 */
export function impactsOf(
  items: readonly IntentItem[],
  vocabulary: Vocabulary,
): ReadonlySet<Impact> {
  return new Set(items.flatMap((item) => itemImpacts(item, vocabulary)))
}

/** A name an operator gave to locations. */
export interface Dataset {
  readonly name: string
  readonly locations: readonly string[]
}

/**
 * The datasets the items can touch; in doubt one is touched. An item this vocabulary does not
 * understand touches all.
 */
export function datasetsOf(
  items: readonly IntentItem[],
  datasets: readonly Dataset[],
  vocabulary: Vocabulary,
): ReadonlySet<string> {
  const touched = datasets.filter((dataset) =>
    items.some((item) => touches(item, dataset, vocabulary)),
  )
  return new Set(touched.map((dataset) => dataset.name))
}

function itemImpacts(item: IntentItem, vocabulary: Vocabulary): readonly Impact[] {
  if (item.type !== vocabulary.type) return IMPACTS
  return item.actions.flatMap((action) => vocabulary.impactOf(action, item.locations))
}

function touches(item: IntentItem, dataset: Dataset, vocabulary: Vocabulary): boolean {
  if (item.type !== vocabulary.type) return true
  return item.locations.some((asked) =>
    dataset.locations.some((named) => vocabulary.overlaps(named, asked)),
  )
}
