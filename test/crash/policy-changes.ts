import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { answered, apiWith, type LoadParts } from './load-parts.ts'
import type { Closure } from './memory.ts'

/** Forbids one agent one entitlement, or nothing; written like a deployment would, at once. */
export async function changePolicies(parts: LoadParts): Promise<void> {
  const { memory, seeded, operatorToken, pid } = parts
  const next = seeded.chance(0.3) ? undefined : seeded.pick(CLOSABLE)
  memory.policiesChange()
  writePolicies(parts.dir, next)
  if (seeded.chance(0.3)) {
    process.kill(pid, 'SIGHUP') // nobody acknowledges this one
    await sleep(50)
    return
  }
  const sentAt = Date.now()
  const { applied } = await apiWith(parts, operatorToken).reload()
  if (!applied) throw new Error('a reload waits for confirmation')
  if (next) memory.closures.push({ ...next, closed: answered(parts, sentAt) })
  memory.acknowledge()
}

export function writePolicies(
  dir: string,
  closed: Pick<Closure, 'agent' | 'entitlement'> | undefined,
) {
  const path = join(dir, 'policies', 'rounds.cedar')
  writeFileSync(`${path}.new`, closed ? `${OPEN}\n${closing(closed)}` : OPEN)
  renameSync(`${path}.new`, path)
}

const CLOSABLE = [
  { agent: 'worker-0', entitlement: 'vault-token' },
  { agent: 'worker-1', entitlement: 'own-api' },
  { agent: 'worker-2', entitlement: 'vault-database' },
] as const

/** Database logins count as credential access, for which the starter set wants an approval. */
const OPEN = `@id("rounds")
permit (
  principal is Mayfly::Agent,
  action == Mayfly::Action::"requestCredential",
  resource is Mayfly::Entitlement
)
when { resource.tenants.contains(principal.tenant) }
unless { resource == Mayfly::Entitlement::"vault-approved" };

@id("rounds-approved")
permit (
  principal is Mayfly::Agent,
  action == Mayfly::Action::"requestCredentialWithApproval",
  resource == Mayfly::Entitlement::"vault-approved"
)
when { resource.tenants.contains(principal.tenant) };
`

function closing({ agent, entitlement }: Pick<Closure, 'agent' | 'entitlement'>): string {
  return `@id("closed")
forbid (
  principal == Mayfly::Agent::"${agent}",
  action == Mayfly::Action::"requestCredential",
  resource == Mayfly::Entitlement::"${entitlement}"
);
`
}
