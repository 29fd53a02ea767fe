import type { KeyContext } from './documents.ts'
import { type Issuer, NO_FACTS } from './issuer.ts'
import type { IssuerConfigOf } from './issuer-settings.ts'
import { bundleKeys } from './spiffe-bundle.ts'
import { parseSpiffeId } from './spiffe-id.ts'

const HEADERS = ['alg', 'kid', 'typ']
const TYPES = ['JWT', 'JOSE']

/** JWT-SVIDs of one trust domain (SPIFFE JWT-SVID §2 to §5); who signs follows from `sub` alone. */
export function spiffeIssuer(config: IssuerConfigOf<'spiffe'>, context: KeyContext): Issuer {
  const { name, bundle, bundle_ca, trust_domain } = config
  return {
    config,
    keys: bundleKeys({ issuer: name, bundle, ca: bundle_ca }, context),
    rules: { algorithms: config.algorithms, undated: true, oneTime: false },
    headerProblem,
    read: ({ sub }) =>
      parseSpiffeId(sub)?.trustDomain === trust_domain
        ? NO_FACTS
        : 'its sub is not a SPIFFE ID of the trust domain',
  }
}

/** No other header is allowed (JWT-SVID §2). */
function headerProblem(header: Readonly<Record<string, unknown>>): string | undefined {
  const odd = Object.keys(header).find((name) => !HEADERS.includes(name))
  if (odd !== undefined) return `header "${odd.slice(0, 64)}" does not belong in a JWT-SVID`
  const { typ } = header
  return typ === undefined || TYPES.some((one) => one === typ) ? undefined : 'its typ is not JWT'
}
