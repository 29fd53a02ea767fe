import { cut, widthOf } from '../../src/cli/table.ts'
import { type Style, safe, type TerminalStreams, terminal } from '../../src/cli/terminal.ts'

/** Nothing is printed wider. */
export const COLUMNS = 100
const INDENT = 3
const CLOCK = 7
const LABEL = 12
const BODY = INDENT + CLOCK + 2

export type Tone = 'plain' | 'good' | 'bad' | 'dim'
const STYLE: Record<Tone, Style | undefined> = {
  plain: undefined,
  good: 'green',
  bad: 'red',
  dim: 'dim',
}

/** The story as it happens, for a person at a terminal: coloured there, plain text elsewhere. */
export interface Timeline {
  /** A new part, with its number. */
  chapter(title: string): void
  /** What happened just now, with the seconds since the demo began. */
  event(label: string, text: string, tone?: Tone): void
  /** What happened at a moment of `performance.now()`. */
  past(at: number, label: string, text: string, tone?: Tone): void
  /** More about it. */
  detail(label: string, text: string, tone?: Tone): void
  /** A command an operator typed, and what it printed. */
  command(line: string, output: string): void
  /** A line of its own. */
  say(text?: string): void
}

/** `startedAt` is on `performance.now()`. */
export function timeline(streams: TerminalStreams, startedAt: number): Timeline {
  const { line, paint } = terminal(streams, false)
  let chapters = 0
  const entry = (clock: string, [label, text, tone = 'plain']: Entry) => {
    const start = `${' '.repeat(INDENT)}${clock.padStart(CLOCK)}  `
    const name = label.padEnd(LABEL)
    const told = cut(safe(text), COLUMNS - BODY - widthOf(name))
    const style = STYLE[tone]
    line(
      `${paint('dim', start)}${paint('cyan', name)}${style ? paint(style, told) : told}`.trimEnd(),
    )
  }
  const past = (at: number, ...what: Entry) =>
    entry(`${((at - startedAt) / 1_000).toFixed(2)} s`, what)
  return {
    past,
    event: (...what) => past(performance.now(), ...what),
    detail: (...what) => entry('', what),
    chapter(title) {
      chapters += 1
      line()
      line(paint('bold', cut(`${chapters}. ${title}`, COLUMNS)))
    },
    command(typed, output) {
      line(paint('dim', `$ ${typed}`))
      line(output.trimEnd())
    },
    say: (text = '') => line(text),
  }
}

type Entry = [label: string, text: string, tone?: Tone | undefined]

/** Where only a program reads. */
export const SILENT: Timeline = {
  chapter: () => {},
  past: () => {},
  event: () => {},
  detail: () => {},
  command: () => {},
  say: () => {},
}
