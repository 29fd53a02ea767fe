import type { Failpoint } from './instrument.ts'

/** Why a sweep need not reach a failpoint; undefined: it must. */
export function whyUnreached({ name }: Failpoint): string | undefined {
  return EXCUSES.find(([what]) => what.test(name))?.[1]
}

const EXCUSES: readonly (readonly [RegExp, string])[] = []
