import type { Clock } from '../clock.ts'
import { MayflyError } from '../errors.ts'
import { PROOFS } from '../model/task.ts'
import type { Secret } from '../secret.ts'
import { agentIndex } from './agent-index.ts'
import type { ClientCertificate } from './certificate.ts'
import type { IdentityLog } from './documents.ts'
import { type EventIssuerConfig, openEventIssuers, type VerifiedSet } from './event-issuers.ts'
import { openIssuers } from './issuers.ts'
import { KEY_COOLDOWN_MS, KEY_FAILURE_PAUSE_MS } from './keys.ts'
import { ownIdentities } from './own-identity.ts'
import type { AgentConfig, IssuerConfig } from './settings.ts'
import { verifyEvidence } from './verify.ts'
import type { Workload } from './workload.ts'
import { openTrustDomains, verifySvid } from './x509-svid.ts'

export interface IdentityContext {
  readonly issuers: readonly IssuerConfig[]
  readonly agents: readonly AgentConfig[]
  /** Who may send security event tokens. */
  readonly eventIssuers?: readonly EventIssuerConfig[]
  /** Names under which the credentials Mayfly hands out act at their upstreams. */
  readonly ownIdentities: readonly string[]
  readonly clock: Clock
  readonly log: IdentityLog
  /** Resolves a reference that an issuer's settings contain. */
  readonly secret: (reference: string) => Secret
  readonly fetch?: typeof fetch
  readonly keyCooldownMs?: number
  readonly keyFailurePauseMs?: number
}

export interface Identity {
  /**
   * Evidence → workload, with proof `bearer` until its key is seen (`withKeys`). `unauthenticated` for anything not beyond doubt, always with the same
   * text and the reason in `detail`; `unavailable` while the issuer's keys cannot be had.
   */
  verify(token: string): Promise<Workload>
  /** Likewise for the client certificate of a connection that shows nothing else. */
  verifyCertificate(certificate: ClientCertificate): Workload
  /**
   * A security event token of the transmitter configured under this name → its claims, or why it is
   * refused. `unavailable` while its keys cannot be had.
   */
  verifyEvent(source: string, token: string): Promise<VerifiedSet>
  /**
   * Workload → the one agent it acts as. `agent_unknown` for none or several, `proof_too_weak` if
   * the workload shows less than the agent demands.
   */
  agentFor(workload: Workload): AgentConfig
}

export function createIdentity(context: IdentityContext): Identity {
  const { clock, log, secret } = context
  const keys = {
    clock,
    log,
    secret,
    fetch: context.fetch ?? fetch,
    cooldownMs: context.keyCooldownMs ?? KEY_COOLDOWN_MS,
    failurePauseMs: context.keyFailurePauseMs ?? KEY_FAILURE_PAUSE_MS,
  }
  const issuers = openIssuers(context.issuers, keys)
  const eventIssuers = openEventIssuers(context.eventIssuers ?? [], keys)
  const domains = openTrustDomains(context.issuers, secret)
  const verifier = { issuers, clock, ownIdentities: ownIdentities(context.ownIdentities) }
  const agentsOf = agentIndex(context.agents)
  return {
    verifyCertificate: (certificate) => verifySvid(domains, certificate, clock.now()),
    verify: (token) => verifyEvidence(verifier, token),
    verifyEvent: (source, token) => eventIssuers.verify(source, token),
    agentFor: (workload) => theOne(agentsOf(workload), workload),
  }
}

function theOne(matching: readonly AgentConfig[], workload: Workload): AgentConfig {
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
