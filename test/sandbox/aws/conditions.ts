import type { ConditionTest } from './policy-document.ts'
import { arnLike, wildcardMatch } from './wildcard.ts'

/** Request context: lower-case keys; a key with several values is multi-valued. */
export type Context = ReadonlyMap<string, readonly string[]>

type Compare = (wanted: string, actual: string) => boolean

const COMPARISONS: Record<string, Compare> = {
  StringEquals: (wanted, actual) => wanted === actual,
  StringEqualsIgnoreCase: (wanted, actual) => wanted.toLowerCase() === actual.toLowerCase(),
  StringLike: wildcardMatch,
  ArnEquals: arnLike,
  ArnLike: arnLike,
  Bool: (wanted, actual) => wanted.toLowerCase() === actual.toLowerCase(),
  DateEquals: (wanted, actual) => instant(actual) === instant(wanted),
  DateLessThan: (wanted, actual) => instant(actual) < instant(wanted),
  DateLessThanEquals: (wanted, actual) => instant(actual) <= instant(wanted),
  DateGreaterThan: (wanted, actual) => instant(actual) > instant(wanted),
  DateGreaterThanEquals: (wanted, actual) => instant(actual) >= instant(wanted),
  NumericEquals: (wanted, actual) => Number(actual) === Number(wanted),
  NumericLessThan: (wanted, actual) => Number(actual) < Number(wanted),
  NumericLessThanEquals: (wanted, actual) => Number(actual) <= Number(wanted),
  NumericGreaterThan: (wanted, actual) => Number(actual) > Number(wanted),
  NumericGreaterThanEquals: (wanted, actual) => Number(actual) >= Number(wanted),
}

/** All tests of a Condition block must hold; several values of one test are alternatives. */
export function conditionsHold(tests: readonly ConditionTest[], context: Context): boolean {
  return tests.every((test) => holds(test, context))
}

function holds(test: ConditionTest, context: Context): boolean {
  const actual = context.get(test.key)
  if (test.operator === 'Null') {
    return test.values.some((value) => (value === 'true') === (actual === undefined))
  }
  const [quantifier, named] = test.operator.includes(':')
    ? test.operator.split(':')
    : [undefined, test.operator]
  const ifExists = named?.endsWith('IfExists') ?? false
  const operator = (named ?? '').replace(/IfExists$/, '')
  const negated = operator.includes('Not')
  const compare = COMPARISONS[operator.replace('Not', '')]
  if (!compare) throw new Error(`operator ${test.operator} is not evaluated`)
  if (actual === undefined || actual.length === 0) {
    return ifExists || negated || quantifier === 'ForAllValues'
  }
  const one = (value: string) => test.values.some((wanted) => compare(wanted, value)) !== negated
  if (quantifier === 'ForAnyValue') return actual.some(one)
  if (quantifier === 'ForAllValues') return actual.every(one)
  return negated ? actual.every(one) : actual.some(one)
}

function instant(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text)
}
