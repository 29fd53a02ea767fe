import type { IssuerConfig } from './issuer-settings.ts'
import type { MatchConfig } from './settings.ts'

/** A claim at fault, or the claims as a whole, and what to do about it. */
export interface MatchProblem {
  readonly claim?: string
  readonly message: string
}

/**
 * What a `match` gets wrong about evidence of this issuer: claims it never has, so that nothing
 * could match, or too little, so that strangers could (P3).
 */
export function matchProblem(
  { claims }: MatchConfig,
  issuer: IssuerConfig,
): MatchProblem | undefined {
  switch (issuer.type) {
    case 'oidc':
      return undefined
    case 'kubernetes':
      return kubernetesProblem(claims)
    case 'spiffe':
    case 'spiffe-x509':
      return spiffeProblem(claims, issuer.trust_domain)
    case 'github-actions':
      return githubProblem(claims)
    case 'gcp':
      return gcpProblem(claims)
  }
}

type Claims = MatchConfig['claims']

const KUBERNETES = [
  'namespace',
  'service_account',
  'service_account_uid',
  'pod',
  'pod_uid',
  'node',
  'node_uid',
  'sub',
]
/** Without one of these a match means accounts of every namespace. */
const PLACED = ['namespace', 'service_account_uid', 'sub', 'kubernetes.io/namespace']

function kubernetesProblem(claims: Claims): MatchProblem | undefined {
  const names = Object.keys(claims)
  const claim = names.find((name) => !KUBERNETES.includes(name) && !/^kubernetes\.io\//.test(name))
  if (claim !== undefined) {
    return {
      claim,
      message: `is no claim to match a cluster’s tokens by: ${KUBERNETES.join(', ')}`,
    }
  }
  if (names.some((name) => PLACED.includes(name))) return undefined
  return { message: 'must name namespace: others can use the same names in theirs' }
}

function spiffeProblem({ sub }: Claims, trustDomain: string): MatchProblem | undefined {
  if (sub?.startsWith(`spiffe://${trustDomain}/`)) return undefined
  const message = `must be a SPIFFE ID or pattern below spiffe://${trustDomain}/`
  return sub === undefined ? { message: `sub ${message}` } : { claim: 'sub', message }
}

function githubProblem(claims: Claims): MatchProblem | undefined {
  const { repository_id, job_workflow_ref: workflow } = claims
  if (repository_id === undefined && workflow === undefined) {
    return { message: 'must name repository_id or job_workflow_ref: names can be registered anew' }
  }
  if (workflow !== undefined && !/^[^*/]+\/[^*/]+\//.test(workflow)) {
    return { claim: 'job_workflow_ref', message: 'must name owner and repository in full' }
  }
  return wildProblem(claims, 'repository_id')
}

/** A project's own accounts; not those that Google names alike for all of its customers. */
const PROJECT_ACCOUNTS = /^[^@]*@(?!gcp-sa-)[a-z0-9.-]+\.iam\.gserviceaccount\.com$/

/** Everyone's accounts come from Google: a match must say whose. */
function gcpProblem(claims: Claims): MatchProblem | undefined {
  const { sub, email, project_id } = claims
  if (email?.includes('*') === true && !PROJECT_ACCOUNTS.test(email)) {
    const message = 'may have * only before @PROJECT.iam.gserviceaccount.com'
    return { claim: 'email', message }
  }
  if (email === undefined && sub === undefined && project_id === undefined) {
    return { message: 'must name email, sub or project_id: anyone can have a Google account' }
  }
  return wildProblem(claims, 'sub') ?? wildProblem(claims, 'project_id')
}

function wildProblem(claims: Claims, claim: string): MatchProblem | undefined {
  const wild = claims[claim]?.includes('*') === true
  return wild ? { claim, message: 'must be written in full, without *' } : undefined
}
