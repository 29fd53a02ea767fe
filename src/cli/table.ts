import { escapeHidden } from './escape.ts'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string | undefined
  /** Cut only when nothing else is left to cut: ids, which are copied into the next command. */
  readonly keep?: true
  /** Left out where the terminal is too narrow for all to be read; `--json` has it still. */
  readonly spare?: true
}

const GAP = '  '
const LEAST_WIDTH = 4
/** Times, counts and levels: a part of one says nothing. */
const SHORT_WIDTH = 12
/** As much of a long cell as is worth a column of its own. */
const READABLE_WIDTH = 16

/**
 * Lines of a table, title first, none wider than `width`: spare columns go first, then the widest
 * give, short ones only after all others, ids last. Cells are escaped; without `width` nothing is cut.
 */
export function tableLines<Row>(
  all: readonly Column<Row>[],
  rows: readonly Row[],
  width: number | undefined,
): string[] {
  const measured = all.map((column) => measure(column, rows))
  const shown = width === undefined ? measured : withoutSpare(measured, width)
  const widths = width === undefined ? shown.map(({ natural }) => natural) : shrink(shown, width)
  return [-1, ...rows.keys()].map((row) => {
    const cells = shown.map(({ column, texts }, at) => {
      const text = row < 0 ? column.title : (texts[row] ?? '')
      return pad(cut(text, widths[at] ?? 0), widths[at] ?? 0)
    })
    const line = cells.join(GAP)
    return (width === undefined ? line : cut(line, width)).trimEnd()
  })
}

interface Measured<Row> {
  readonly column: Column<Row>
  readonly texts: readonly string[]
  readonly natural: number
}

function measure<Row>(column: Column<Row>, rows: readonly Row[]): Measured<Row> {
  const texts = rows.map((row) => escapeHidden(column.cell(row) ?? '-'))
  return { column, texts, natural: Math.max(...[column.title, ...texts].map(widthOf)) }
}

/** Drops spare columns, the last first, until what is left can be read in `width`. */
function withoutSpare<Row>(measured: readonly Measured<Row>[], width: number): Measured<Row>[] {
  const shown = [...measured]
  for (;;) {
    const needed = shown.map(({ column, natural }) =>
      column.keep ? natural : Math.min(natural, READABLE_WIDTH),
    )
    const total = needed.reduce((sum, one) => sum + one, GAP.length * (shown.length - 1))
    const last = shown.findLastIndex(({ column }) => column.spare)
    if (total <= width || last < 0) return shown
    shown.splice(last, 1)
  }
}

function shrink<Row>(shown: readonly Measured<Row>[], width: number): number[] {
  const columns = shown.map(({ column }) => column)
  const widths = shown.map(({ natural }) => natural)
  const room = width - GAP.length * (columns.length - 1)
  for (const giving of [
    shown.map(({ column, natural }) => !column.keep && natural > SHORT_WIDTH),
    columns.map((column) => !column.keep),
    columns.map(() => true),
  ]) {
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
