import { WORKLOAD } from './issuer.ts'

/** The planner, then everybody it can pass work on to, level by level. */
export const LEVELS: readonly (readonly string[])[] = [
  [WORKLOAD],
  numbered('lead', 3),
  numbered('analyst', 9),
  numbered('reader', 36),
]

/** Whom the planner's work goes through and to; each is an agent and a workload of its own. */
export const EXECUTORS = LEVELS.slice(1).flat()

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${name}-${n + 1}`)
}
