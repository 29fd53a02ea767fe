import { LineCounter, parseDocument } from 'yaml'
import type { Report } from './report.ts'

const MAX_BYTES = 2 * 1024 ** 2
/** Aliases multiply: a few lines of nested ones would otherwise fill the memory. */
const MAX_ALIASES = 50

const MAX_DEPTH = 64

/**
 * Reads YAML 1.2 into plain data; undefined after its problems were noted. Duplicate keys, unknown
 * tags, several documents and alias bombs are refused.
 */
export function parseYaml(report: Report, text: string): unknown {
  if (Buffer.byteLength(text) > MAX_BYTES) {
    report.problem('', `is larger than ${MAX_BYTES} bytes`)
    return undefined
  }
  const lines = new LineCounter()
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      uniqueKeys: true,
    })
    for (const fault of [...document.errors, ...document.warnings]) {
      const { line, col } = lines.linePos(fault.pos[0])
      report.problem(`line ${line}, column ${col}`, readable(fault.message))
    }
    if (report.problems.length > 0) return undefined
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES })
    if (!isTooDeep(value)) return value
    report.problem('', `nests deeper than ${MAX_DEPTH} levels, or into itself`)
    return undefined
  } catch (error) {
    report.problem('', error instanceof Error ? readable(error.message) : 'is not YAML')
    return undefined
  }
}

/** An alias within its own anchor makes a value that contains itself, which no walk ever ends. */
function isTooDeep(value: unknown, above: readonly object[] = []): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (above.length >= MAX_DEPTH || above.includes(value)) return true
  const path = [...above, value]
  return Object.values(value).some((inner) => isTooDeep(inner, path))
}

function readable(message: string): string {
  const firstLine = message.split('\n')[0] ?? ''
  return firstLine.charAt(0).toLowerCase() + firstLine.slice(1).replace(/\.$/, '')
}
