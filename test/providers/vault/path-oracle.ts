/** Vault's path rules a second time, as regular expressions, and paths to try them on. */
import fc from 'fast-check'
import { pathProblem } from '../../../providers/vault/path-pattern.ts'

/** A test of whether a policy stanza for `pattern` is about a path. */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const open = pattern.endsWith('*')
  const stem = open ? pattern.slice(0, -1) : pattern
  const source = stem.replace(/[.\\^$()[\]{}|?]/g, '\\$&').replace(/(^|\/)\+(?=\/|$)/g, '$1[^/]*')
  const expression = new RegExp(`^${source}${open ? '[^]*' : ''}$`)
  return (path) => expression.test(path)
}

const SEGMENTS = ['a', 'b', 'ab', 'aba']
const segment = fc.constantFrom(...SEGMENTS)

/** Every path of up to three of the segments, with and without a trailing slash. */
export const ALL_PATHS: readonly string[] = [1, 2, 3]
  .reduce<string[][]>(
    (levels) => [...levels, (levels.at(-1) ?? []).flatMap((p) => SEGMENTS.map((s) => `${p}/${s}`))],
    [SEGMENTS],
  )
  .flat()
  .flatMap((path) => [path, `${path}/`])

/** Few segments from few letters, so that patterns often meet. */
export const anyPath = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '/'))
  .map(([segments, end]) => segments.join('/') + end)

export const anyLocation = fc
  .tuple(
    fc.array(fc.oneof(segment, fc.constant('+')), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', '/', '/*', '*'),
  )
  .map(([segments, end]) => segments.join('/') + end)
  .filter((location) => pathProblem(location) === undefined)
