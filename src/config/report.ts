import type { z } from 'zod'
import type { Problem } from '../errors.ts'
import { joinPath, nearestBranch } from '../model/schema-issue.ts'

/** Collects everything wrong with a document, so that its author sees it all at once (P16). */
export class Report {
  readonly problems: Problem[] = []
  /** What is allowed and still worth a look; never a reason to refuse. */
  readonly warnings: Problem[] = []

  problem(path: string, message: string): void {
    this.problems.push({ path, message })
  }

  warn(path: string, message: string): void {
    this.warnings.push({ path, message })
  }

  /** Parses one value; undefined after its problems were noted. */
  parse<T>(schema: z.ZodType<T>, value: unknown, path: string): T | undefined {
    try {
      const parsed = schema.safeParse(value, { reportInput: true })
      if (parsed.success) return parsed.data
      for (const issue of parsed.error.issues) this.#issue(issue, path)
    } catch {
      this.problem(path, 'could not be read')
    }
    return undefined
  }

  /** Parses a list item by item, so that one bad item hides nothing about the others. */
  list<T>(schema: z.ZodType<T>, value: unknown, path: string): Located<T>[] {
    if (value === undefined || value === null) return []
    if (!Array.isArray(value)) {
      this.problem(path, 'must be a list')
      return []
    }
    return value.flatMap((item: unknown, index) => {
      const at = `${path}[${index}]`
      const parsed = this.parse(schema, item, at)
      return parsed === undefined ? [] : [{ value: parsed, path: at }]
    })
  }

  /** Notes every item that bears a name an earlier one already has. */
  unique<T>(items: readonly Located<T>[], field: string, nameOf: (item: T) => string): void {
    const first = new Map<string, string>()
    for (const { value, path } of items) {
      const name = nameOf(value)
      const earlier = first.get(name)
      if (earlier === undefined) first.set(name, path)
      else this.problem(`${path}.${field}`, `is already used by ${earlier}`)
    }
  }

  #issue(issue: z.core.$ZodIssue, path: string): void {
    const at = joinPath(path, issue.path)
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) this.problem(joinPath(at, [key]), 'unknown field')
      return
    }
    const branch = issue.code === 'invalid_union' ? nearestBranch(issue.errors) : undefined
    if (branch === undefined) this.problem(at, messageOf(issue))
    for (const inner of branch ?? []) this.#issue(inner, at)
  }
}

/** A parsed value and where it stands in the document. */
export interface Located<T> {
  readonly value: T
  readonly path: string
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) return 'is required'
    return `must be ${WORDS[issue.expected] ?? issue.expected}, not ${kindOf(issue.input)}`
  }
  if (issue.code === 'invalid_value') {
    return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`
  }
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
}

const WORDS: Record<string, string> = {
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  string: 'text (put it in quotes if it looks like a number or true)',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
}

function kindOf(value: unknown): string {
  if (value === null) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  return typeof value === 'string' ? 'text' : `${typeof value} ${String(value)}`
}
