import { defineProvider, type Provider, type ProviderContext } from '../../src/provider.ts'
import { check } from './check.ts'
import { createClients } from './clients.ts'
import { describe } from './describe.ts'
import { mint } from './mint.ts'
import { RoleDenials } from './role-denials.ts'
import { RolePolicies } from './role-policies.ts'
import { type AwsSettings, settingsSchema, targetSchema } from './settings.ts'
import { UpstreamClock } from './upstream-clock.ts'
import { awsVocabulary } from './vocabulary.ts'

const INVENTORY_MS = 30_000

/**
 * AWS STS: sessions of a role under a session policy compiled from the intent, ended early by an
 * explicit deny of their SourceIdentity in the role's own inline policies. See README.md.
 */
export const awsSts = defineProvider({
  type: 'aws-sts',
  settings: settingsSchema,
  target: targetSchema,
  vocabulary: awsVocabulary,
  oneTenantOf: ({ role_arn, shared }) => (shared === true ? undefined : role_arn),
  describe,
  create,
})

function create(context: ProviderContext<AwsSettings>): Provider {
  const { settings, installation, epoch, clock, log } = context
  const clients = createClients(settings, (reference) => context.secret(reference))
  const upstream = new UpstreamClock(clock)
  for (const client of [clients.mint, clients.revoke]) upstream.watch(client)
  const minting = { installation, settings, clock, upstream, clients, log }
  const denials = new Map<string, RoleDenials>()
  const roles = () => [...new Set([...rolesOf(context.targets ?? []), ...denials.keys()])]
  const denialsOf = (role: string): RoleDenials => {
    const known = denials.get(role)
    if (known) return known
    const policies = new RolePolicies(clients.revoke, role)
    const made = new RoleDenials({ installation, epoch, clock, upstream, log }, policies)
    denials.set(role, made)
    return made
  }

  return {
    mint: (order) => {
      if (order.group !== null) denialsOf(order.group)
      return mint(minting, order)
    },
    revoke: async (batch) => {
      const role = batch.group ?? targetSchema.parse(batch.orders[0]?.target).role_arn
      return denialsOf(role).refuse(batch)
    },
    inventory: async () => {
      const signal = AbortSignal.timeout(INVENTORY_MS)
      const found = await Promise.all(
        roles().map(async (role) =>
          (await denialsOf(role).inventory(signal)).map(({ policy, name }) => ({
            upstreamName: name,
            what: `refused on ${role} by ${policy}`,
          })),
        ),
      )
      return found.flat()
    },
    check: () => check({ clients, upstream, roles: roles(), apart: settings.revoke !== undefined }),
    close: async () => clients.close(),
  }
}

function rolesOf(targets: readonly unknown[]): string[] {
  return targets.flatMap((target) => {
    const parsed = targetSchema.safeParse(target)
    return parsed.success ? [parsed.data.role_arn] : []
  })
}
