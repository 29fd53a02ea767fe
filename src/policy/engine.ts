import type { Problem } from '../errors.ts'
import { type Decision, strictest } from '../model/decision.ts'
import { authorize } from './authorize.ts'
import { type Lacking, lackingFor } from './lacking.ts'
import { lintPolicies } from './lint.ts'
import { type Answer, type PolicySet, type PolicySource, parsePolicySet } from './policy-set.ts'
import type { PolicyQuestion } from './question.ts'
import { cedarRequest, withApproval } from './request.ts'
import type { Policy } from './slice.ts'

/** One policy set in force: plain data in, a decision out. */
export interface PolicyEngine {
  /** SHA-256 of the set; the same policies in other files or layout have the same. */
  readonly hash: string
  readonly policyIds: readonly string[]
  /** Every policy, by id. */
  readonly policies: ReadonlyMap<string, Policy>
  /** Refuses by default: an error, a missing entity or no permitting policy is a deny (P3). */
  decide<Q extends PolicyQuestion>(question: Q): PolicyDecision<Q>
  /** What is valid and yet probably not meant. */
  lint(): readonly Problem[]
  /** The permits that come closest to permitting it, also by an approval; what each lacks; slow. */
  lacking(question: PolicyQuestion): readonly Lacking[]
}

/** A decision with what was asked, so that it can be explained and made again. */
export interface PolicyDecision<Q extends PolicyQuestion = PolicyQuestion> extends Decision {
  readonly question: Q
}

export type PolicyLoad =
  | { readonly ok: true; readonly engine: PolicyEngine }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/**
 * Loads a policy set, or says everything that is wrong with it (P16). Nothing is in force until the
 * caller puts the engine there; engines loaded before stay valid.
 */
export function loadPolicies(sources: readonly PolicySource[]): PolicyLoad {
  const set = parsePolicySet(sources)
  if (!('hash' in set)) return { ok: false, problems: set }
  const engine: PolicyEngine = {
    hash: set.hash,
    policyIds: set.policies.map(({ id }) => id).toSorted(),
    policies: new Map(set.policies.map((policy) => [policy.id, policy])),
    decide: (question) => ({ ...decide(set, question), question }),
    lint: () => lintPolicies(set.policies),
    lacking: (question) => lackingFor(set.policies, question),
  }
  return { ok: true, engine }
}

/** What a policy set says to questions that must all be permitted; undefined for none. */
export function decideAll(
  policy: Pick<PolicyEngine, 'decide'>,
  questions: readonly PolicyQuestion[],
): Decision | undefined {
  const all = questions.map((question) => policy.decide(question))
  const [own] = all
  return own && strictest(own, all)
}

function decide(set: PolicySet, question: PolicyQuestion): Decision {
  const request = cedarRequest(question)
  const answer = authorize(set, request)
  if (answer.allowed) return decision(set, 'permit', answer)
  if (question.action !== 'requestCredential' || answer.failed) return decision(set, 'deny', answer)
  const approved = authorize(set, withApproval(request))
  if (approved.allowed) return decision(set, 'needs-approval', approved)
  return decision(set, 'deny', {
    policies: [...new Set([...answer.policies, ...approved.policies])],
    reasons: [...new Set([...answer.reasons, ...approved.reasons])],
  })
}

function decision(
  set: PolicySet,
  outcome: Decision['outcome'],
  { policies, reasons }: Pick<Answer, 'policies' | 'reasons'>,
): Decision {
  return { outcome, policies, rails: [], policyHash: set.hash, reasons }
}
