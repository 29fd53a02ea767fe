import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import canonicalize from 'canonicalize'
import type { Problem } from '../errors.ts'
import { type Policy, type Slicer, slicerOf } from './slice.ts'

/** One Cedar file: its name as the operator knows it, and its text. */
export interface PolicySource {
  readonly name: string
  readonly text: string
}

/** Every policy of a set by id, checked against the schema, and the set's identity. */
export interface PolicySet {
  /** SHA-256, lower-case hex, over the policies' canonical form: comments and layout do not count. */
  readonly hash: string
  readonly policies: readonly Policy[]
  /** Those that may apply to a request. */
  readonly slice: Slicer
  /** Answers already given, by digest of the request; `authorize` keeps it. */
  readonly remembered: Map<string, Answer>
}

/** What a policy set says to one request. */
export interface Answer {
  readonly allowed: boolean
  /** The question could not be answered properly; always with `allowed` false. */
  readonly failed: boolean
  /** The policies that determined it. */
  readonly policies: readonly string[]
  readonly reasons: readonly string[]
}

/** What policy authors may rely on. */
export const SCHEMA = readFileSync(new URL('./mayfly.cedarschema', import.meta.url), 'utf8')

/**
 * Parses and strictly validates a set, reporting every problem of every file at once. A policy's id
 * is its `@id`, or else `<file>#<n>`; the same id twice is a problem, as are templates.
 */
export function parsePolicySet(sources: readonly PolicySource[]): PolicySet | readonly Problem[] {
  const problems: Problem[] = []
  const parts = sources.flatMap((source) => splitFile(source, problems))
  problems.push(...duplicates(parts), ...validationProblems(parts))
  if (problems.length > 0) return problems
  return {
    hash: hashOf(parts),
    policies: parts,
    slice: slicerOf(parts),
    remembered: new Map(),
  }
}

function splitFile({ name, text }: PolicySource, problems: Problem[]): Policy[] {
  const answer = cedar.policySetTextToParts(text)
  if (answer.type === 'failure') {
    problems.push(...answer.errors.map((error) => parseProblem(name, text, error)))
    return []
  }
  if (answer.policy_templates.length > 0) {
    problems.push({ path: name, message: 'policy templates (?principal, ?resource) are not used' })
  }
  return inFileOrder(answer.policies).flatMap((policy, index) => {
    const parsed = cedar.policyToJson(policy)
    if (parsed.type === 'success') {
      const id = parsed.json.annotations?.id
      return [{ id: id || `${name}#${index + 1}`, file: name, text: policy, json: parsed.json }]
    }
    problems.push(...parsed.errors.map((error) => parseProblem(name, policy, error)))
    return []
  })
}

/** The engine numbers policies `policy0…` in file order but hands them out sorted by that name. */
function inFileOrder(policies: readonly string[]): string[] {
  const numbers = policies.map((_, n) => n)
  const sorted = numbers.toSorted((a, b) => (`policy${a}` < `policy${b}` ? -1 : 1))
  const ordered = policies.map((text, at) => ({ text, number: sorted[at] ?? at }))
  return ordered.toSorted((a, b) => a.number - b.number).map(({ text }) => text)
}

function duplicates(parts: readonly Policy[]): Problem[] {
  return parts.flatMap((part, at) => {
    const first = parts.findIndex((other) => other.id === part.id)
    if (first === at) return []
    return [
      {
        path: `${part.file}: ${part.id}`,
        message: `policy id "${part.id}" is taken by ${parts[first]?.file}; give it another @id`,
      },
    ]
  })
}

function validationProblems(parts: readonly Policy[]): Problem[] {
  // By position, so that two policies with one id are both checked.
  const byName = Object.fromEntries(parts.map((part, n) => [`p${n}`, part.text]))
  const answer = cedar.validate({ schema: SCHEMA, policies: { staticPolicies: byName } })
  if (answer.type === 'failure') {
    return answer.errors.map((error) => ({ path: 'policies', message: lower(error.message) }))
  }
  const problems = answer.validationErrors.map(({ policyId, error }) => {
    const part = parts[Number(policyId.slice(1))]
    const text = error.message.replace(`for policy \`${policyId}\`, `, '')
    return {
      path: part ? `${part.file}: ${part.id}` : 'policies',
      message: error.help ? `${lower(text)} (${error.help})` : lower(text),
    }
  })
  return oncePerCause(problems)
}

/** The validator repeats one mistake for every action the policy could apply to. */
function oncePerCause(problems: readonly Problem[]): Problem[] {
  const cause = ({ path, message }: Problem) => `${path} ${message.replace(/Action::"\w+"/g, '')}`
  return [...new Map(problems.toReversed().map((p) => [cause(p), p])).values()].reverse()
}

function parseProblem(file: string, text: string, error: cedar.DetailedError): Problem {
  const at = error.sourceLocations?.[0]
  const line = at ? `:${text.slice(0, at.start).split('\n').length}` : ''
  const label = at?.label ? ` (${at.label})` : ''
  return { path: `${file}${line}`, message: `${lower(error.message)}${label}` }
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function hashOf(parts: readonly Policy[]): string {
  const set = Object.fromEntries(parts.map((part) => [part.id, part.json]))
  return createHash('sha256')
    .update(canonicalize(set) ?? '')
    .digest('hex')
}
