import type { OperatorConfig } from '../config.ts'
import { MayflyError } from '../errors.ts'
import type { SystemAct, TenantAct } from '../policy/question.ts'
import type { Broker, World } from './broker.ts'

/**
 * The tenants on which policy lets this operator do `act`: null is every tenant, also those only
 * old leases still name. Throws `forbidden` if there is none. The operator's own tenant list is a
 * rail: no policy widens it.
 */
export function tenantsFor(
  { world, clock }: Broker,
  operator: OperatorConfig,
  act: TenantAct,
): readonly string[] | null {
  const now = clock.now()
  const current = world()
  const everywhere = operator.tenants.includes('*')
  const candidates = everywhere ? tenantsOf(current) : operator.tenants
  const allowed = candidates.filter(
    (tenant) => current.policy.decide({ action: act, operator, tenant, now }).outcome === 'permit',
  )
  if (allowed.length === 0) throw forbidden(act)
  return everywhere && allowed.length === candidates.length ? null : allowed
}

/** Throws `forbidden` unless policy lets this operator act on the installation as a whole. */
export function assertMay(
  { world, clock }: Broker,
  operator: OperatorConfig,
  act: SystemAct,
): void {
  const decision = world().policy.decide({ action: act, operator, now: clock.now() })
  if (decision.outcome !== 'permit') throw forbidden(act)
}

/** Whether what was recognised stands in the configuration of now, unchanged and not expired. */
export function isStillConfigured({ world, clock }: Broker, operator: OperatorConfig): boolean {
  const current = world().config.operators.find(({ name }) => name === operator.name)
  const unchanged = JSON.stringify(current) === JSON.stringify(operator)
  return unchanged && (operator.expiresAt === undefined || operator.expiresAt > clock.now())
}

export function mayRead(tenants: readonly string[] | null, tenant: string): boolean {
  return tenants?.includes(tenant) ?? true
}

/** A fresh installation has no tenant yet; its operators still need an answer. */
const NO_TENANT = '*'

function tenantsOf({ config }: World): string[] {
  const names = [
    ...config.agents.map((agent) => agent.tenant),
    ...config.entitlements.flatMap((entitlement) => entitlement.tenants),
  ]
  return names.length === 0 ? [NO_TENANT] : [...new Set(names)]
}

function forbidden(act: string): MayflyError {
  return new MayflyError('forbidden', `no policy lets this operator ${WORDS[act] ?? act}`)
}

const WORDS: Record<string, string> = {
  readLeases: 'read tasks and leases',
  liftBlock: 'lift blocks',
  readAudit: 'read the audit log',
  administer: 'administer this installation',
  sendSignal: 'send signals',
}
