import type { OwnTokens } from '../provider.ts'
import type { Broker } from './broker.ts'

/** RFC 9068 §2.1 */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

/** The broker itself as the upstream of its own access tokens; `issuer` is `server.public_url`. */
export function ownTokens(
  { signer, store }: Pick<Broker, 'signer' | 'store'>,
  issuer: string,
): OwnTokens {
  return {
    issuer,
    prepare: (algorithm) => signer.prepare(algorithm),
    sign: (alg, claims) =>
      signer.sign({ alg, typ: ACCESS_TOKEN_TYPE, claims: { iss: issuer, ...claims } }),
    honours: async (lease) => (await store.leases.honoured(lease)) !== undefined,
  }
}
