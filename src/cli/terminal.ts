import { styleText } from 'node:util'
import { escapeHidden, printableJson } from './escape.ts'
import { type Column, tableLines, widthOf } from './table.ts'

/** What the command line needs of a stream. */
export interface OutputStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** Of a table that goes into a file, a pager or a ticket, where nobody said how wide those are. */
const COLUMNS_ELSEWHERE = 100

export type Style = Parameters<typeof styleText>[0]

/** Prints for a person, or for a program with `--json`; never both on one stream. */
export interface Terminal {
  readonly json: boolean
  /** Exactly what the API answered. */
  answer(value: unknown): void
  /** Foreign text in `line` must have been escaped by `safe`. */
  line(line?: string): void
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], empty: string): void
  /** For people, on the other stream: what went wrong or is worth knowing. */
  note(line: string): void
  paint(style: Style, text: string): string
}

export interface TerminalStreams {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly env: Readonly<Record<string, string | undefined>>
}

export function terminal({ stdout, stderr, env }: TerminalStreams, json: boolean): Terminal {
  const coloured = stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
  const told = stdout.isTTY === true ? stdout.columns : columnsOf(env.COLUMNS)
  const width = told ?? COLUMNS_ELSEWHERE
  const paint = (style: Style, text: string) =>
    coloured ? styleText(style, text, { validateStream: false }) : text
  const line = (text = '') => stdout.write(`${text}\n`)
  const note = (text: string) => stderr.write(`${text}\n`)
  return {
    json,
    paint,
    line,
    answer: (value) => line(printableJson(value)),
    note,
    table: (columns, rows, empty) => {
      if (rows.length === 0) return void line(paint('dim', empty))
      const [title = '', ...lines] = tableLines(columns, rows, width)
      line(paint('bold', title))
      for (const text of lines) line(text)
      const whole = () => tableLines(columns, rows, undefined)
      // Whoever searches in what they piped must not take what was cut for what is not there.
      if (told === undefined && whole().some((text) => widthOf(text) > width))
        note(`the table was cut to ${width} columns: COLUMNS=200 gives it more, --json all`)
    },
  }
}

/** Foreign text, safe to print within a line. */
export const safe = escapeHidden

/** Not a terminal, but somebody said how wide it is. */
function columnsOf(text: string | undefined): number | undefined {
  const columns = Number(text)
  return Number.isInteger(columns) && columns > 0 ? columns : undefined
}
