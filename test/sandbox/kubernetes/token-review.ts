import { createLocalJWKSet, jwtVerify } from 'jose'
import type { SigningKey } from '../../identity/issuer-server.ts'
import type { ClusterObjects, Pod, ServiceAccount } from './objects.ts'

/** The private claims of a bound token. */
interface Bound {
  readonly namespace: string
  readonly serviceaccount: { readonly name: string; readonly uid: string }
  readonly pod?: { readonly name: string; readonly uid: string }
}

export interface ReviewStatus {
  readonly authenticated?: boolean
  readonly user?: { username: string; uid: string; groups: string[]; extra: object }
  readonly audiences?: readonly string[]
  readonly error?: string
}

export function claimsOf(request: {
  account: ServiceAccount
  pod: Pod | undefined
  audience: string
  iat: number
  seconds: number
  jti: string
}) {
  const { account, pod, audience, iat, seconds, jti } = request
  const { namespace, name, uid } = account
  const bound = pod && { pod: { name: pod.name, uid: pod.uid }, node: pod.node }
  return {
    aud: [audience],
    sub: `system:serviceaccount:${namespace}:${name}`,
    iat,
    nbf: iat,
    exp: iat + seconds,
    jti,
    'kubernetes.io': { namespace, ...bound, serviceaccount: { name, uid } },
  }
}

/** Signature, time, audience, and that account and pod are still the ones the token was bound to. */
export async function review(
  token: string,
  world: {
    audiences: readonly string[]
    issuer: string
    keys: readonly SigningKey[]
    objects: ClusterObjects
    now: number
  },
): Promise<ReviewStatus> {
  const { issuer, keys, objects, now } = world
  const verified = await jwtVerify(token, createLocalJWKSet({ keys: keys.map(({ jwk }) => jwk) }), {
    issuer,
    audience: [...world.audiences],
    currentDate: new Date(now),
  }).catch((error: Error) => error)
  if (verified instanceof Error) return { error: `invalid bearer token, ${verified.message}` }
  const { sub = '', aud, jti } = verified.payload
  const bound = verified.payload['kubernetes.io'] as Bound // signed by this cluster
  const { namespace, serviceaccount, pod } = bound
  if (!objects.hasAccount(namespace, serviceaccount.name, serviceaccount.uid)) {
    return { error: 'service account has been deleted' }
  }
  if (pod && !objects.hasPod(namespace, pod.name, pod.uid)) {
    return { error: 'pod has been deleted' }
  }
  return {
    authenticated: true,
    user: {
      username: sub,
      uid: serviceaccount.uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
      extra: {
        'authentication.kubernetes.io/credential-id': [`JTI=${jti}`],
        ...(pod && {
          'authentication.kubernetes.io/pod-name': [pod.name],
          'authentication.kubernetes.io/pod-uid': [pod.uid],
        }),
      },
    },
    audiences: world.audiences.filter((audience) => [aud].flat().includes(audience)),
  }
}
