import type { ApiClient } from '../client/http.ts'
import type { PageWire } from '../model/wire.ts'
import type { Context, ExitCode } from './command.ts'
import type { Column } from './table.ts'

/** `ls` of a noun: one page of the API as a table, in the API's own order. */
export async function list<Row>(
  { api, terminal }: Context,
  view: {
    page: (api: ApiClient) => Promise<PageWire<Row>>
    columns: readonly Column<Row>[]
    empty: string
  },
): Promise<ExitCode> {
  const answer = await view.page(api())
  if (terminal.json) {
    terminal.answer(answer)
    return 0
  }
  terminal.table(view.columns, answer.items, view.empty)
  if (answer.next_cursor !== null) {
    terminal.note(`there are more: add --cursor ${answer.next_cursor} (or --limit)`)
  }
  return 0
}

/** A damaged row is told as such: what else it shows may be empty for that alone. */
export function marked(text: string, { unreadable }: { unreadable?: true }): string {
  return unreadable ? `${text} (unreadable)` : text
}
