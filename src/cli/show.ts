import type { Context, ExitCode } from './command.ts'
import { printableJson } from './escape.ts'
import { safe } from './terminal.ts'
import { when } from './when.ts'

/** One task, lease, decision, kill or approval with everything the API tells about it. */
export async function show(
  context: Context,
  what: 'task' | 'lease' | 'decision' | 'killed' | 'approval',
  id: string,
): Promise<ExitCode> {
  const { terminal } = context
  const answer = await context.api()[what](id)
  if (terminal.json) terminal.answer(answer)
  else printFields(context, answer)
  return 0
}

/** `name  value` lines; times also as seen from now, mappings and lists of mappings indented. */
export function printFields({ terminal, now }: Context, value: object): void {
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  const width = Math.max(...entries.map(([key]) => key.length))
  for (const [key, inner] of entries) {
    const name = terminal.paint('dim', safe(key).padEnd(width))
    terminal.line(`${name}  ${text(inner, now()).replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`)
  }
}

function text(value: unknown, now: number): string {
  if (typeof value === 'string') {
    const isTime = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)
    return isTime ? `${value} (${when(value, now)})` : safe(value)
  }
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
    return value.length === 0 ? '-' : value.map(safe).join('\n')
  }
  return Object.keys(value).length === 0 ? '-' : printableJson(value)
}
