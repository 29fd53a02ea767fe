import { createHash } from 'node:crypto'
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import type { Clock } from '../clock.ts'
import { MayflyError } from '../errors.ts'
import { PROOFS } from '../model/task.ts'
import { hiddenCharacter, MAX_TEXT } from '../model/text.ts'
import { flattenClaims } from './claims.ts'
import { type IdentityLog, issuerKeys, KEY_COOLDOWN_MS, KEY_FAILURE_PAUSE_MS } from './keys.ts'
import { matchesWorkload } from './match.ts'
import type { AgentConfig, IssuerConfig } from './settings.ts'
import { readToken } from './token.ts'
import type { Workload } from './workload.ts'

export interface IdentityContext {
  readonly issuers: readonly IssuerConfig[]
  readonly agents: readonly AgentConfig[]
  readonly clock: Clock
  readonly log: IdentityLog
  readonly fetch?: typeof fetch
  readonly keyCooldownMs?: number
  readonly keyFailurePauseMs?: number
}

export interface Identity {
  /**
   * Evidence → workload. `unauthenticated` for anything not beyond doubt, always with the same
   * text and the reason in `detail`; `unavailable` while the issuer's keys cannot be had.
   */
  verify(token: string): Promise<Workload>
  /**
   * Workload → the one agent it acts as. `agent_unknown` for none or several, `proof_too_weak` if
   * the workload shows less than the agent demands.
   */
  agentFor(workload: Workload): AgentConfig
}

interface Issuer {
  readonly config: IssuerConfig
  readonly keys: JWTVerifyGetKey
}

export function createIdentity(context: IdentityContext): Identity {
  const keyContext = {
    clock: context.clock,
    log: context.log,
    fetch: context.fetch ?? fetch,
    cooldownMs: context.keyCooldownMs ?? KEY_COOLDOWN_MS,
    failurePauseMs: context.keyFailurePauseMs ?? KEY_FAILURE_PAUSE_MS,
  }
  const issuers = new Map<string, Issuer>(
    context.issuers.map((config) => [
      config.issuer,
      { config, keys: issuerKeys(config, keyContext) },
    ]),
  )
  return {
    verify: (token) => verify(issuers, context.clock, token),
    agentFor: (workload) => agentFor(context.agents, workload),
  }
}

/** read → choose the issuer → check the algorithm → verify signature, times, audience → workload */
async function verify(issuers: ReadonlyMap<string, Issuer>, clock: Clock, token: string) {
  const unverified = readToken(token)
  if (typeof unverified === 'string') throw refused(unverified)
  const { header, payload } = unverified
  const issuer = typeof payload.iss === 'string' ? issuers.get(payload.iss) : undefined
  if (issuer === undefined)
    throw refused('its issuer is not configured', { iss: excerpt(payload.iss) })
  const { config } = issuer
  if (!config.algorithms.some((algorithm) => algorithm === header.alg)) {
    throw refused('its algorithm is not accepted', {
      issuer: config.name,
      alg: excerpt(header.alg),
    })
  }
  const claims = await verifiedClaims(issuer, clock, token)
  return workloadOf(config, claims)
}

async function verifiedClaims({ config, keys }: Issuer, clock: Clock, token: string) {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: config.issuer,
      audience: config.audience,
      algorithms: config.algorithms,
      clockTolerance: config.clock_tolerance_seconds,
      currentDate: new Date(clock.now()),
      maxTokenAge: config.max_age_seconds,
      requiredClaims: ['exp', 'iat', 'sub'],
      ...(config.typ === undefined ? {} : { typ: config.typ }),
    })
    return payload
  } catch (error) {
    if (error instanceof MayflyError) throw error
    const reason = error instanceof errors.JOSEError ? error.message : 'it could not be verified'
    throw refused(reason, { issuer: config.name }, error)
  }
}

function workloadOf(config: IssuerConfig, claims: JWTPayload): Workload {
  const issuer = config.name
  const { sub, aud, exp, iat, jti } = claims
  if (![aud].flat().every((audience) => audience === config.audience)) {
    throw refused('it is meant for others as well', { issuer, aud: excerpt(aud) })
  }
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_TEXT || hiddenCharacter(sub)) {
    throw refused('its sub is not a plain name', { issuer })
  }
  if (exp === undefined || iat === undefined) throw refused('it says no exp or iat', { issuer })
  if (jti !== undefined && (typeof jti !== 'string' || jti === '')) {
    throw refused('its jti is not a name', { issuer })
  }
  if (config.one_time && jti === undefined) throw refused('it has no jti', { issuer })
  const flat = flattenClaims(claims)
  if (flat === undefined)
    throw refused('its claims are ambiguous, too many or too deep', { issuer })
  const end = Math.min(exp, iat + config.max_age_seconds) + config.clock_tolerance_seconds
  return {
    name: `${issuer}/${sub}`,
    issuer,
    issuerUrl: config.issuer,
    subject: sub,
    proof: 'bearer',
    ...flat,
    evidenceId: jti === undefined ? null : evidenceId(config.issuer, jti),
    evidenceExpiresAt: Math.ceil(end * 1_000),
    oneTime: config.one_time,
  }
}

function agentFor(agents: readonly AgentConfig[], workload: Workload): AgentConfig {
  const matching = agents.filter((agent) => matchesWorkload(agent.match, workload))
  const [agent, ...others] = matching
  if (agent === undefined || others.length > 0) {
    throw new MayflyError('agent_unknown', 'this workload is not exactly one configured agent', {
      detail: { workload: workload.name, matching: matching.map(({ id }) => id) },
    })
  }
  if (PROOFS.indexOf(workload.proof) < PROOFS.indexOf(agent.proof)) {
    throw new MayflyError('proof_too_weak', `this agent must show proof "${agent.proof}"`, {
      detail: { workload: workload.name, agent: agent.id, shown: workload.proof },
    })
  }
  return agent
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
