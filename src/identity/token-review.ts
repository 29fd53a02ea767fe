import { z } from 'zod'
import { MayflyError } from '../errors.ts'
import { type KeyContext, readLimited } from './documents.ts'
import type { Issuer } from './issuer.ts'
import type { IssuerConfigOf } from './issuer-settings.ts'
import { sendWith } from './send.ts'

/** A workload waits for this answer; an API server that takes longer is in trouble. */
const REVIEW_TIMEOUT_MS = 3_000
const POD_UID = 'authentication.kubernetes.io/pod-uid'

/** What counts of the answer (authentication.k8s.io/v1 TokenReviewStatus). */
const reviewed = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    audiences: z.array(z.string()).default([]),
    user: z
      .object({
        username: z.string(),
        uid: z.string(),
        extra: z.record(z.string(), z.array(z.string())).default({}),
      })
      .optional(),
  }),
})

/**
 * Asks the API server whether a token still stands: it knows deleted pods, accounts and nodes.
 * The answer must be about our audience and the same account and pod, by uid. No clear answer in
 * time is `unavailable`: nothing is opened.
 */
export function tokenReview(
  config: ReviewedConfig,
  context: KeyContext,
): NonNullable<Issuer['confirm']> {
  const { name, audience } = config
  const review = sharing(reviewer(config, context))
  return async (token, workload) => {
    const status = await review(token).catch((error: unknown) => {
      context.log.warn({ issuer: name, error: reasonOf(error) }, 'a token cannot be reviewed')
      throw new MayflyError('unavailable', 'the evidence cannot be checked now; try again', {
        cause: error,
        detail: { issuer: name, reason: `it cannot be reviewed: ${reasonOf(error)}` },
        retryAfterSeconds: 5,
      })
    })
    const { user } = status
    if (!status.authenticated || user === undefined)
      return 'the cluster does not accept it any more'
    // An API server that does not know audiences answers with none.
    if (!status.audiences.includes(audience)) return 'the cluster does not see it as meant for us'
    const same =
      user.username === workload.subject &&
      user.uid === workload.claims.service_account_uid &&
      (user.extra[POD_UID]?.[0] ?? null) === workload.instance
    return same ? undefined : 'the cluster sees another account or pod in it'
  }
}

/** Why the broker's own account cannot review tokens now; undefined if it can. */
export async function reviewProblem(
  config: ReviewedConfig,
  context: Pick<KeyContext, 'fetch' | 'secret'>,
): Promise<string | undefined> {
  const review = reviewer(config, context)
  return review('no-token').then(() => undefined, reasonOf)
}

type ReviewedConfig = IssuerConfigOf<'kubernetes'>

/** Calls with one token at one time share one answer: no workload keeps an API server busy (P13). */
function sharing<Result>(ask: (token: string) => Promise<Result>) {
  const asked = new Map<string, Promise<Result>>()
  return (token: string): Promise<Result> => {
    const answer = asked.get(token) ?? ask(token).finally(() => asked.delete(token))
    asked.set(token, answer)
    return answer
  }
}

function reviewer(
  { audience, api_server }: ReviewedConfig,
  context: Pick<KeyContext, 'fetch' | 'secret'>,
) {
  if (api_server === undefined) throw new Error('a token review needs an API server')
  const url = `${api_server.url.replace(/\/$/, '')}/apis/authentication.k8s.io/v1/tokenreviews`
  const send = sendWith(api_server, context)
  return async (token: string) => {
    const answer = await send(url, {
      method: 'POST',
      headers: new Headers({ accept: 'application/json', 'content-type': 'application/json' }),
      redirect: 'manual',
      signal: AbortSignal.timeout(REVIEW_TIMEOUT_MS),
      body: JSON.stringify({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, audiences: [audience] },
      }),
    })
    const body = await readLimited(answer)
    if (answer.status !== 201) throw new Error(`the token review answered ${answer.status}`)
    return reviewed.parse(JSON.parse(Buffer.from(body).toString('utf8'))).status
  }
}

/** An answer that does not parse could repeat what it was asked: only its kind is told. */
function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError || error instanceof SyntaxError) return 'no TokenReview answered'
  return String(error)
}
