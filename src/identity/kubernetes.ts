import type { JWTPayload } from 'jose'
import { discover } from './discovery.ts'
import type { KeyContext } from './documents.ts'
import type { Issuer, KindFacts } from './issuer.ts'
import type { IssuerConfigOf } from './issuer-settings.ts'
import { keySetAt } from './key-set.ts'
import { keysOfIssuer } from './oidc.ts'
import { present, textAt } from './plain-claims.ts'
import { sendWith } from './send.ts'
import { tokenReview } from './token-review.ts'

/**
 * Service-account tokens of a cluster, bound to the pod that holds them
 * (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/).
 */
export function kubernetesIssuer(
  config: IssuerConfigOf<'kubernetes'>,
  context: KeyContext,
): Issuer {
  return {
    config,
    keys: keysOf(config, context),
    rules: { algorithms: config.algorithms, iss: config.issuer, oneTime: false },
    read: (claims) => readClaims(claims, config.pod_bound),
    ...(config.token_review ? { confirm: tokenReview(config, context) } : {}),
  }
}

/** The API server names its keys by an address of its own liking: only the path is believed. */
function keysOf(config: IssuerConfigOf<'kubernetes'>, context: KeyContext) {
  const { name, issuer, api_server } = config
  if (api_server === undefined) return keysOfIssuer(config, context)
  const base = api_server.url.replace(/\/$/, '')
  return keySetAt(
    {
      issuer: name,
      send: sendWith(api_server, context),
      find: async (fetchDocument) => {
        await discover(fetchDocument, { base, issuer })
        return `${base}/openid/v1/jwks`
      },
    },
    context,
  )
}

function readClaims(claims: JWTPayload, podBound: boolean): KindFacts | string {
  const at = (...path: string[]) => textAt(claims, 'kubernetes.io', ...path)
  const namespace = at('namespace')
  const account = at('serviceaccount', 'name')
  const accountUid = at('serviceaccount', 'uid')
  if (namespace === undefined || account === undefined || accountUid === undefined) {
    return 'it names no namespace and service account with its uid'
  }
  if (claims.sub !== `system:serviceaccount:${namespace}:${account}`) {
    return 'its sub is not the service account it names'
  }
  const [pod, podUid] = [at('pod', 'name'), at('pod', 'uid')]
  if ((pod === undefined) !== (podUid === undefined)) return 'it names a pod by half'
  if (podBound && podUid === undefined) return 'it is not bound to a pod'
  return {
    names: present({
      namespace,
      service_account: account,
      service_account_uid: accountUid,
      pod,
      pod_uid: podUid,
      node: at('node', 'name'),
      node_uid: at('node', 'uid'),
    }),
    instance: podUid ?? null,
  }
}
