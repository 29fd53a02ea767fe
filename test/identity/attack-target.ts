/**
 * For tokens made to be accepted by mistake, in the manner of C2SP Wycheproof: each attack takes
 * one honest token and changes one thing.
 */
import { expect } from 'vitest'
import { goodClaims, identityFor, refusal } from './fixture.ts'
import { type IssuerServer, newKey, type SigningKey, startIssuer } from './issuer-server.ts'

export const ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'] as const
/** Settings of an issuer that uses all of them. */
export const accepting = { algorithms: [...ALGORITHMS] }

export interface Target {
  readonly corp: IssuerServer
  /** The issuer publishes this key alone from now on, under the name `key-<alg>`. */
  keyOf(alg: string): SigningKey
  /** What an honest token says, overlaid. */
  payload(overlay?: object): string
  /** Refused with the one text, and at most the issuer's keys were asked for. */
  mustRefuse(token: string): Promise<{ reason: string }>
}

export async function startTarget(): Promise<Target> {
  const corp = await startIssuer()
  const keys = new Map<string, SigningKey>()
  for (const alg of ALGORITHMS) keys.set(alg, await newKey(`key-${alg}`, alg))
  return {
    corp,
    keyOf: (alg) => {
      const key = keys.get(alg)
      if (!key) throw new Error(`no key for ${alg}`)
      corp.routes.clear()
      corp.requests.length = 0
      corp.keys = [key]
      return key
    },
    payload: (overlay = {}) => JSON.stringify({ ...goodClaims(corp), ...overlay }),
    mustRefuse: async (token) => {
      const { identity } = identityFor(corp, accepting)
      const answer = await refusal(identity.verify(token))
      expect(answer).toMatchObject({
        code: 'unauthenticated',
        message: 'the evidence was not accepted',
      })
      expect(corp.requests.filter((path) => path !== '/jwks')).toEqual([])
      return answer
    },
  }
}
