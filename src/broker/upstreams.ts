import type { AuditDraft } from '../audit/events.ts'
import { MayflyError, type Problem } from '../errors.ts'
import type { AbandonedUpstream } from '../store/store.ts'
import type { Broker, World } from './broker.ts'

/** Providers that `next` lacks or points elsewhere although leases of theirs are unfinished. */
export async function abandonedProviders(
  { store }: Pick<Broker, 'store'>,
  next: World,
): Promise<Problem[]> {
  const reached = reachedBy(next)
  return (await store.abandonedUpstreams(reached)).map((one) => problemOf(one, reached))
}

/**
 * Commits, with `events`, which upstreams are reached from now on; the world must be put in force
 * right after. Throws `config_invalid` if leases of another are unfinished: what minted them alone
 * can end them, and anything else would only look as if it had (P6).
 */
export async function adoptUpstreams(
  { store }: Pick<Broker, 'store'>,
  next: World,
  events: readonly AuditDraft[],
): Promise<void> {
  const reached = reachedBy(next)
  const abandoned = await store.adoptUpstreams(reached, events)
  if (abandoned.length === 0) return
  throw new MayflyError('config_invalid', 'the configuration cannot be used', {
    problems: abandoned.map((one) => problemOf(one, reached)),
  })
}

function reachedBy(world: World): ReadonlyMap<string, string> {
  return new Map([...world.providers].map(([name, { upstream }]) => [name, upstream]))
}

function problemOf(
  { provider, upstream, live, dead }: AbandonedUpstream,
  reached: ReadonlyMap<string, string>,
): Problem {
  const now = reached.get(provider)
  const leases = `of its leases ${live} are still live and ${dead} dead but not cleaned up`
  const until = `until \`mayfly leases ls --state live --provider ${provider}\` is empty and they are cleaned up`
  const message =
    now === undefined
      ? `is gone, but ${leases}; keep it ${until}`
      : `now reaches ${now}, but ${leases} at ${upstream}, which alone can end them; give the new one another name and keep this one ${until}`
  return { path: `providers.${provider}`, message }
}
