import type { z } from 'zod'
import type { Problem } from '../errors.ts'
import { joinPath, nearestBranch } from './schema-issue.ts'

const MAX_PROBLEMS = 50
/** A caller's own field name in the answer: bounded, because it may be long. */
const MAX_NAME = 100

/** What a schema does not accept of a request, in its sender's words: each with its path. */
export function requestProblems(error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue) => problemsOf(issue, [])).slice(0, MAX_PROBLEMS)
}

function problemsOf(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): Problem[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: pathText([...path, key]),
      message: 'is not a known field',
    }))
  }
  const branch = issue.code === 'invalid_union' ? nearestBranch(issue.errors) : undefined
  if (branch) return branch.flatMap((inner) => problemsOf(inner, path))
  return [{ path: pathText(path), message: messageOf(issue) }]
}

function pathText(path: readonly PropertyKey[]): string {
  const bounded = path.map((key) =>
    typeof key === 'number' ? key : String(key).slice(0, MAX_NAME),
  )
  return joinPath('', bounded)
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') {
    return issue.message.endsWith('received undefined')
      ? 'is required'
      : `must be ${ARTICLE[issue.expected] ?? issue.expected}`
  }
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`
  if (issue.code === 'too_small' && issue.origin !== 'string' && issue.origin !== 'array') {
    return `must be at least ${issue.minimum}`
  }
  if (issue.code === 'too_big' && issue.origin !== 'string' && issue.origin !== 'array') {
    return `must be at most ${issue.maximum}`
  }
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
}

const ARTICLE: Readonly<Record<string, string>> = {
  object: 'an object',
  record: 'an object',
  array: 'a list',
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
}
