import { escapeHidden } from './escape.ts'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string | undefined
  /** Cut only when nothing else is left to cut: ids, which are copied into the next command. */
  readonly keep?: true
}

const GAP = '  '
const LEAST_WIDTH = 4

/**
 * Lines of a table, title first, none wider than `width`: the widest columns give first, ids last.
 * Cells are escaped; without `width` (not a terminal) nothing is cut.
 */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number | undefined,
): string[] {
  const cells = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((column) => escapeHidden(column.cell(row) ?? '-'))),
  ]
  const natural = columns.map((_, at) => Math.max(...cells.map((line) => widthOf(line[at] ?? ''))))
  const widths = width === undefined ? natural : shrink(columns, natural, width)
  return cells.map((line) => {
    const text = line.map((cell, at) => pad(cut(cell, widths[at] ?? 0), widths[at] ?? 0)).join(GAP)
    return (width === undefined ? text : cut(text, width)).trimEnd()
  })
}

function shrink<Row>(columns: readonly Column<Row>[], natural: number[], width: number): number[] {
  const widths = [...natural]
  const room = width - GAP.length * (columns.length - 1)
  for (const giving of [columns.map((column) => !column.keep), columns.map(() => true)]) {
    for (;;) {
      const over = widths.reduce((sum, w) => sum + w, 0) - room
      const widest = Math.max(...widths.filter((w, at) => giving[at] && w > LEAST_WIDTH))
      if (over <= 0 || widest === Number.NEGATIVE_INFINITY) break
      const at = widths.findIndex((w, i) => giving[i] && w === widest)
      widths[at] = widest - 1
    }
  }
  return widths
}

/** `text` in at most `width` columns of a terminal; a cut shows as `…`. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let kept = ''
  let used = 1
  for (const { segment } of GRAPHEMES.segment(text)) {
    used += graphemeWidth(segment)
    if (used > width) break
    kept += segment
  }
  return width < 1 ? '' : `${kept}…`
}

export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const { segment } of GRAPHEMES.segment(text)) width += graphemeWidth(segment)
  return width
}

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
/** What terminals draw two columns wide. */
const WIDE =
  /\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\u3000-\u303f\uff01-\uff60]/u

function graphemeWidth(grapheme: string): number {
  return WIDE.test(grapheme) ? 2 : 1
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}
