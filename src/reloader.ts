import { createHash } from 'node:crypto'
import type { Actor } from './audit/events.ts'
import type { Broker, World } from './broker/broker.ts'
import { keepPolicies } from './broker/keep-policies.ts'
import { ownTokens } from './broker/own-tokens.ts'
import { assertReloadable, enforceWorld, planReload } from './broker/reload.ts'
import { adoptUpstreams } from './broker/upstreams.ts'
import { diffConfig } from './config/diff.ts'
import { MayflyError } from './errors.ts'
import { type LoadRequest, loadConfig } from './load-config.ts'
import type { ReloadWire } from './model/wire.ts'
import { buildWorld, closeUnused } from './world.ts'

export type Reloader = (request: {
  readonly actor: Actor
  /** What an earlier answer asked to confirm; void once the files have changed again. */
  readonly confirm?: string
}) => Promise<ReloadWire>

/**
 * Reads the whole configuration again: load → build → show what changes → apply, or wait for
 * confirmation if more leases would end than `limits.reload_max_ended` (P16). A configuration that
 * cannot be used changes nothing. One reload runs at a time.
 */
export function createReloader(
  broker: Broker,
  parts: { readonly load: Omit<LoadRequest, 'now'>; readonly swap: (next: World) => void },
): Reloader {
  let queue: Promise<unknown> = Promise.resolve()
  return (request) => {
    const run = queue.then(() => reload(broker, parts, request)).catch(noted(broker, request))
    queue = run.catch(() => undefined)
    return run
  }
}

/** Nobody may be there to hear the answer, and what watches the log must know of it. */
function noted({ log }: Broker, { actor }: Parameters<Reloader>[0]): (error: unknown) => never {
  return (error) => {
    const problems = error instanceof MayflyError ? error.problems : undefined
    log.error({ actor, ...(problems ? { problems } : { err: error }) }, 'a reload was refused')
    throw error
  }
}

async function reload(
  broker: Broker,
  { load, swap }: Parameters<typeof createReloader>[1],
  { actor, confirm }: Parameters<Reloader>[0],
): Promise<ReloadWire> {
  const { store, clock, log } = broker
  const before = broker.world()
  const loaded = await loadConfig({ ...load, now: clock.now() })
  for (const { path, message } of loaded.warnings) log.warn({ path }, message)
  if (!loaded.ok) {
    throw new MayflyError('config_invalid', 'the configuration cannot be used; nothing changed', {
      problems: loaded.problems,
    })
  }
  const { config, policies, shadow } = loaded
  const tokens = ownTokens(broker, before.config.server.publicUrl)
  const parts = { clock, log, writer: store.writer, policies, shadow, ownTokens: tokens }
  const next = buildWorld(config, parts, before)
  await assertReloadable(broker, next)
  const changes = diffConfig(before.config, config)
  if (before.policy.hash !== policies.hash)
    changes.push(`policies: ${before.policy.hash.slice(0, 12)} → ${policies.hash.slice(0, 12)}`)
  const plan = await planReload(broker, next)
  const wanted = createHash('sha256')
    .update(JSON.stringify([changes, policies.hash, config]))
    .digest('hex')
    .slice(0, 12)
  if (plan.leases.length > config.limits.reloadMaxEnded && confirm !== wanted) {
    log.warn({ changes, would_end: plan.leases.length, confirm: wanted }, 'a reload waits')
    return { applied: false, changes, would_end: plan.leases.length, confirm: wanted }
  }
  await keepPolicies(broker, policies)
  await adoptUpstreams(broker, next, [
    { type: 'config.reloaded', actor, data: { changes, would_end: plan.leases.length } },
  ])
  swap(next)
  for (const [name, { upstream }] of before.providers) {
    if (next.providers.get(name)?.upstream !== upstream) broker.health.forget(name)
  }
  // Also what was issued while it was planned.
  const ended = await enforceWorld(broker, { actor, because: 'world' })
  log.info({ changes, ended }, 'configuration reloaded')
  await closeUnused(before, next)
  return { applied: true, changes, would_end: ended }
}
