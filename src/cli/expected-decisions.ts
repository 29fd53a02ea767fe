import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { parseYaml } from '../config/document.ts'
import { Report } from '../config/report.ts'
import type { Problem } from '../errors.ts'
import { description, FIELDS, questionOf } from '../policy/described.ts'
import type { PolicyQuestion } from '../policy/question.ts'

/** One expectation: what is asked, and what the policies must say. */
export interface Case {
  readonly name: string
  readonly question: PolicyQuestion
  readonly outcome: 'permit' | 'deny' | 'needs-approval'
  /** Exactly these policies must have determined it; absent: any. */
  readonly by: readonly string[] | undefined
}

/** A file of expectations, `NAME.test.yaml`, and the directory of the policies it is about. */
export interface Suite {
  readonly file: string
  readonly policies: string
  readonly cases: readonly Case[]
  readonly problems: readonly Problem[]
}

const suiteSchema = z.strictObject({
  policies: z.string().default('.'),
  defaults: z.record(z.string(), z.unknown()).default({}),
  tests: z.array(z.unknown()).min(1, 'must hold at least one'),
})
const caseSchema = z.looseObject({
  name: z.string().min(1),
  expect: z.enum(['permit', 'deny', 'needs-approval']),
  by: z.array(z.string()).optional(),
})

const SUFFIX = /\.test\.ya?ml$/

/** The suites of a file, or of all such files of a directory. Throws if there are none. */
export function readSuites(path: string): Suite[] {
  if (!statSync(path).isDirectory()) return [readSuite(path)]
  const files = readdirSync(path).filter((name) => SUFFIX.test(name))
  if (files.length === 0) throw new Error(`${path} holds no *.test.yaml`)
  return files.toSorted().map((name) => readSuite(join(path, name)))
}

function readSuite(file: string): Suite {
  const report = new Report()
  const document = parseYaml(report, readFileSync(file, 'utf8'))
  const suite =
    report.problems.length === 0 ? report.parse(suiteSchema, document ?? {}, '') : undefined
  const cases = (suite?.tests ?? []).flatMap((test, n) =>
    readCase(report, { test, path: `tests[${n}]`, defaults: suite?.defaults ?? {} }),
  )
  const policies = resolve(dirname(file), suite?.policies ?? '.')
  return { file, policies, cases, problems: report.problems }
}

function readCase(
  report: Report,
  { test, path, defaults }: { test: unknown; path: string; defaults: Record<string, unknown> },
): Case[] {
  const said = report.parse(caseSchema, test, path)
  if (!said) return []
  const { name, expect, by, ...asked } = said
  const described = report.parse(description, withDefaults(asked, defaults), path)
  return described ? [{ name, outcome: expect, by, question: questionOf(described) }] : []
}

/** The defaults that this kind of question has, under what the test itself says. */
function withDefaults(
  asked: Record<string, unknown>,
  defaults: Record<string, unknown>,
): Record<string, unknown> {
  const fields = FIELDS[String(asked.action ?? 'requestCredential')] ?? []
  const fitting = Object.entries(defaults).filter(([key]) => fields.includes(key))
  return laidOver(Object.fromEntries(fitting), asked)
}

function laidOver(
  below: Record<string, unknown>,
  above: Record<string, unknown>,
): Record<string, unknown> {
  const merged = Object.entries(above).map(([key, value]) => {
    const under = below[key]
    return [key, isRecord(under) && isRecord(value) ? laidOver(under, value) : value]
  })
  return { ...below, ...Object.fromEntries(merged) }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
