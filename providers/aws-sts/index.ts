import {
  defineProvider,
  type EndOrder,
  type ProofOutcome,
  type Provider,
  type ProviderContext,
} from '../../src/provider.ts'
import { accountOf, check } from './check.ts'
import { type AwsClients, createClients } from './clients.ts'
import { ContainmentTrials } from './containment-trial.ts'
import { describe } from './describe.ts'
import { asFarAsKnown } from './end-outcome.ts'
import { refusedOn } from './inventory.ts'
import { mint } from './mint.ts'
import { openProbe } from './probe-session.ts'
import { RoleDenials } from './role-denials.ts'
import { RolePolicies } from './role-policies.ts'
import { type AwsSettings, sessionsOf, settingsSchema, targetSchema } from './settings.ts'
import { TokenWatch } from './token-size.ts'
import { UpstreamClock } from './upstream-clock.ts'
import { awsVocabulary } from './vocabulary.ts'

const INVENTORY_MS = 30_000
const DOUBT_MS = 15_000
const ACCOUNT_MS = 5_000

/**
 * AWS STS: sessions of a role under a session policy compiled from the intent, ended early by an
 * explicit deny of their SourceIdentity in the role's own inline policies. See README.md.
 */
export const awsSts = defineProvider({
  type: 'aws-sts',
  settings: settingsSchema,
  target: targetSchema,
  vocabulary: awsVocabulary,
  // Where roles are written. Of which account they are is checked with every write.
  upstreamOf: ({ endpoints }) => new URL(endpoints?.iam ?? 'https://iam.amazonaws.com').origin,
  oneTenantOf: ({ role_arn, shared }) => (shared === true ? undefined : role_arn),
  identitiesOf: ({ role_arn }) => [role_arn, sessionsOf(role_arn)],
  describe,
  create,
})

function create(context: ProviderContext<AwsSettings>): Provider {
  const { settings, installation, writer, clock, log } = context
  const { epoch } = writer
  const clients = createClients(settings, (reference) => context.secret(reference))
  const upstream = new UpstreamClock(clock)
  for (const client of [clients.mint, clients.revoke]) upstream.watch(client)
  const tokens = new TokenWatch(log)
  const minting = { installation, settings, clock, upstream, clients, log, tokens }
  const denials = new Map<string, RoleDenials>()
  const trials = new Map<string, ContainmentTrials>()
  const roles = () => [...new Set([...rolesOf(context.targets ?? []), ...denials.keys()])]
  const endersAccount = accountOnce(clients)
  const denialsOf = (role: string): RoleDenials => {
    const known = denials.get(role)
    if (known) return known
    const policies = new RolePolicies(clients.revoke, role)
    const looksAgain = settings.proof !== undefined
    const context = { installation, role, writer, clock, upstream, log, endersAccount, looksAgain }
    const made = new RoleDenials(context, policies)
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
      trialsOf(role)?.want(asFarAsKnown(batch).orders)
      return denialsOf(role).refuse(batch)
    },
    ...(settings.proof === undefined ? {} : { prove }),
    doubts: async () => {
      const signal = AbortSignal.timeout(DOUBT_MS)
      const looks = [...denials].map(async ([group, one]) => ({
        group,
        what: await one.doubt(signal),
      }))
      return (await Promise.all(looks)).flatMap(({ group, what }) =>
        what ? [{ group, what }] : [],
      )
    },
    inventory: async (beside) => {
      const signal = AbortSignal.timeout(INVENTORY_MS)
      const looked = [...new Set([...roles(), ...(beside?.groups ?? [])])]
      return (
        await Promise.all(looked.map((role) => refusedOn(denialsOf(role), role, signal)))
      ).flat()
    },
    upstreamTime: () => upstream.now(),
    check: () => check({ clients, upstream, roles: roles(), installation, settings }),
    close: async () => {
      await Promise.all([...trials.values()].map((one) => one.close()))
      for (const one of denials.values()) one.close()
      clients.close()
    },
  }

  function trialsOf(role: string): ContainmentTrials | undefined {
    const { proof } = settings
    const known = trials.get(role)
    if (known || !proof) return known
    const open = openProbe.bind(undefined, { installation, settings, clients })
    const [document, { regions }] = [denialsOf(role), proof]
    const made = new ContainmentTrials({ role, epoch, regions, document, open, clock, log })
    trials.set(role, made)
    return made
  }

  async function prove(orders: readonly EndOrder[]): Promise<readonly ProofOutcome[]> {
    const byRole = Map.groupBy(orders, ({ group, targetName }) => group ?? targetName)
    return [...byRole].flatMap(([role, some]) => trialsOf(role)?.proofs(some) ?? [])
  }
}

/** Asked until STS answers, then remembered. */
function accountOnce({ whoRevokes }: AwsClients): () => Promise<string | undefined> {
  let known: string | undefined
  return async () => {
    known ??= await accountOf(whoRevokes, AbortSignal.timeout(ACCOUNT_MS))
    return known
  }
}

function rolesOf(targets: readonly unknown[]): string[] {
  return targets.flatMap((target) => {
    const parsed = targetSchema.safeParse(target)
    return parsed.success ? [parsed.data.role_arn] : []
  })
}
