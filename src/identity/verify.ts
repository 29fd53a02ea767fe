import { createHash } from 'node:crypto'
import { errors, type JWTPayload, jwtVerify } from 'jose'
import type { Clock } from '../clock.ts'
import { MayflyError } from '../errors.ts'
import { leaseOfName } from '../ids.ts'
import { hiddenCharacter, MAX_TEXT } from '../model/text.ts'
import { flattenClaims } from './claims.ts'
import type { Issuer } from './issuer.ts'
import { issuerUrl } from './issuer-settings.ts'
import type { Issuers } from './issuers.ts'
import { ownIdentityIn } from './own-identity.ts'
import { confirmationOf, pinName } from './possession.ts'
import { readToken } from './token.ts'
import type { Workload } from './workload.ts'

export interface Verifier {
  readonly issuers: Issuers
  readonly clock: Clock
  readonly ownIdentities: ReadonlySet<string>
}

/**
 * read → choose the issuer → check its header → verify signature, times, audience → read what its
 * kind says → refuse what Mayfly issued → ask the issuer where it can be asked
 */
export async function verifyEvidence(verifier: Verifier, token: string): Promise<Workload> {
  const unverified = readToken(token)
  if (typeof unverified === 'string') throw refused(unverified)
  const { header, payload } = unverified
  const issuer = verifier.issuers.of(payload)
  if (issuer === undefined)
    throw refused('its issuer is not configured', { iss: excerpt(payload.iss) })
  checkHeader(issuer, header)
  const claims = await verifiedClaims(issuer, { clock: verifier.clock, token, payload })
  if (typeof claims.jti === 'string' && leaseOfName(claims.jti) !== undefined) {
    // Whatever address its issuer was configured under.
    throw refused('it is an access token that a Mayfly issued', { issuer: issuer.config.name })
  }
  const workload = workloadOf(issuer, claims, { token, now: verifier.clock.now() })
  const own = ownIdentityIn(workload, verifier.ownIdentities)
  if (own !== undefined) {
    const { name } = issuer.config
    throw refused('it is of an identity that Mayfly hands out', { issuer: name, claim: own })
  }
  const withdrawn = await issuer.confirm?.(token, workload)
  if (withdrawn !== undefined) throw refused(withdrawn, { issuer: issuer.config.name })
  return workload
}

function checkHeader({ config, rules, headerProblem }: Issuer, header: Record<string, unknown>) {
  if (!rules.algorithms.some((algorithm) => algorithm === header.alg)) {
    throw refused('its algorithm is not accepted', {
      issuer: config.name,
      alg: excerpt(header.alg),
    })
  }
  const problem = headerProblem?.(header)
  if (problem !== undefined) throw refused(problem, { issuer: config.name })
}

async function verifiedClaims(
  { config, keys, rules }: Issuer,
  { clock, token, payload }: { clock: Clock; token: string; payload: Record<string, unknown> },
) {
  const undated = rules.undated === true && payload.iat === undefined
  try {
    const verified = await jwtVerify(token, keys, {
      audience: config.audience,
      algorithms: [...rules.algorithms],
      clockTolerance: config.clock_tolerance_seconds,
      currentDate: new Date(clock.now()),
      requiredClaims: ['exp', 'sub', ...(undated ? [] : ['iat'])],
      ...(undated ? {} : { maxTokenAge: config.max_age_seconds }),
      ...(rules.iss === undefined ? {} : { issuer: rules.iss }),
      ...(rules.typ === undefined ? {} : { typ: rules.typ }),
    })
    return verified.payload
  } catch (error) {
    if (error instanceof MayflyError) throw error
    const reason = error instanceof errors.JOSEError ? error.message : 'it could not be verified'
    throw refused(reason, { issuer: config.name }, error)
  }
}

function workloadOf(
  issuer: Issuer,
  claims: JWTPayload,
  { token, now }: { token: string; now: number },
): Workload {
  const { config, rules } = issuer
  const { name, audience } = config
  const { sub, aud, jti } = claims
  if (![aud].flat().every((one) => one === audience)) {
    throw refused('it is meant for others as well', { issuer: name, aud: excerpt(aud) })
  }
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_TEXT || hiddenCharacter(sub)) {
    throw refused('its sub is not a plain name', { issuer: name })
  }
  if (jti !== undefined && (typeof jti !== 'string' || jti === '')) {
    throw refused('its jti is not a name', { issuer: name })
  }
  if (rules.oneTime && jti === undefined) throw refused('it has no jti', { issuer: name })
  const end = endOf(issuer, claims, now)
  const { iat = end - config.max_age_seconds - config.clock_tolerance_seconds } = claims
  const facts = issuer.read(claims)
  if (typeof facts === 'string') throw refused(facts, { issuer: name })
  const confirmation = confirmationOf(claims.cnf)
  if (confirmation === undefined) {
    throw refused('its cnf is no key that can be shown here (jkt or x5t#S256)', { issuer: name })
  }
  const flat = flattenClaims({ ...claims })
  const taken = flat && Object.keys(facts.names).some((key) => Object.hasOwn(flat.claims, key))
  if (flat === undefined || taken)
    throw refused('its claims are ambiguous, too many or too deep', { issuer: name })
  const url = issuerUrl(config)
  return {
    name: `${name}/${sub}`,
    issuer: name,
    issuerUrl: url,
    subject: sub,
    instance: facts.instance,
    pin: pinName({ issuerUrl: url, subject: sub, instance: facts.instance, jti, token }),
    proof: 'bearer',
    confirmation,
    claims: { ...flat.claims, ...facts.names },
    lists: flat.lists,
    evidenceId: jti === undefined ? null : evidenceId(url, jti),
    evidenceIssuedAt: iat * 1_000,
    evidenceExpiresAt: end * 1_000,
    oneTime: rules.oneTime,
  }
}

/** When the evidence is refused anyway, in seconds; whole ones, as every known issuer writes them. */
function endOf({ config }: Issuer, { exp, iat, nbf }: JWTPayload, now: number): number {
  const { name, max_age_seconds, clock_tolerance_seconds } = config
  const odd = Object.entries({ exp, iat, nbf }).find(
    ([, value]) => value !== undefined && !Number.isSafeInteger(value),
  )
  if (odd) throw refused(`its "${odd[0]}" is no whole number of seconds`, { issuer: name })
  const from = iat ?? Math.ceil(now / 1_000)
  const last = from + max_age_seconds
  if (exp === undefined) throw refused('it says no exp', { issuer: name })
  if (iat === undefined && exp > last) throw refused('its "exp" is too far away', { issuer: name })
  return Math.min(exp, last) + clock_tolerance_seconds
}

function evidenceId(issuerUrl: string, jti: string): string {
  return createHash('sha256')
    .update(JSON.stringify([issuerUrl, jti]))
    .digest('hex')
}

/** A stranger's words, for the log: bounded. */
function excerpt(value: unknown): string | undefined {
  return JSON.stringify(value)?.slice(0, 200)
}

function refused(reason: string, detail: Record<string, unknown> = {}, cause?: unknown) {
  return new MayflyError('unauthenticated', 'the evidence was not accepted', {
    detail: { ...detail, reason },
    cause,
  })
}
