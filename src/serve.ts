import type { Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import pino from 'pino'
import { lastAnchored } from './audit/anchor.ts'
import type { Broker, World } from './broker/broker.ts'
import { Health } from './broker/health.ts'
import { keepPolicies } from './broker/keep-policies.ts'
import { ownTokens } from './broker/own-tokens.ts'
import { Pace } from './broker/pace.ts'
import { adoptUpstreams } from './broker/upstreams.ts'
import type { ClockSource } from './clock.ts'
import type { Config } from './config.ts'
import { loggable, MayflyError } from './errors.ts'
import { createApp } from './http/app.ts'
import { createDpop } from './identity/dpop.ts'
import type { Random } from './ids.ts'
import { keptKey } from './kept-key.ts'
import { type Lifecycle, startLifecycle } from './lifecycle/lifecycle.ts'
import { type Listener, listen } from './listen.ts'
import { type LoadRequest, loadConfig } from './load-config.ts'
import { readiness } from './readiness.ts'
import { createReloader, type Reloader } from './reloader.ts'
import { createSigner } from './signing/signer.ts'
import { openSqliteStore } from './store/sqlite/index.ts'
import type { Store } from './store/store.ts'
import { buildWorld, closeUnused } from './world.ts'

export interface ServeOptions extends Omit<LoadRequest, 'now'> {
  readonly clockSource: ClockSource
  readonly random: Random
  /** Where the log goes, one JSON line each. */
  readonly logTo: pino.DestinationStream
  readonly logLevel?: pino.LevelWithSilent
  /** The time an operator says it is, where the host's clock is far ahead of the database. */
  readonly acceptTime?: number
  /** Instead of the configured port; 0 takes a free one. */
  readonly port?: number
}

export interface Served {
  /** Where it really listens. */
  readonly url: string
  readonly reload: Reloader
  /** Finishes requests in flight, then stops; what could not finish is ended at the next start. */
  stop(): Promise<void>
}

const MIGRATIONS = fileURLToPath(new URL('../migrations/sqlite', import.meta.url))
/** Longer than a mint may take, so that a stop cuts none off. */
const DRAIN_MS = 12_000
const CLOSE_IDLE_EVERY_MS = 100
const LIFECYCLE_GRACE_MS = 5_000

/**
 * load → open store → build world → settle and start the lifecycle → listen
 *
 * Refuses a configuration it cannot use with every problem at once (`config_invalid`), before
 * anything is changed.
 */
export async function serve(options: ServeOptions): Promise<Served> {
  const level = options.logLevel ?? 'info'
  const log = pino({ level, redact: REDACTED, serializers: { err: loggable } }, options.logTo)
  const loaded = await loadConfig({ ...options, now: options.clockSource.wall() })
  for (const { path, message } of loaded.warnings) log.warn({ path }, message)
  if (!loaded.ok) {
    throw new MayflyError('config_invalid', 'the configuration cannot be used', {
      problems: loaded.problems,
    })
  }
  const { config, policies, shadow } = loaded
  const { store, clock } = openSqliteStore({
    path: config.store.path,
    keysDir: config.keysDir,
    migrations: MIGRATIONS,
    clockSource: options.clockSource,
    acceptTime: options.acceptTime,
    witness: await witnessOf(config, options.clockSource),
  })
  try {
    const signer = createSigner({ keysDir: config.keysDir, clock })
    const tokens = ownTokens({ signer, store }, config.server.publicUrl)
    const parts = { clock, log, writer: store.writer, policies, shadow, ownTokens: tokens }
    let world: World = buildWorld(config, parts)
    const broker: Broker = {
      store,
      clock,
      random: options.random,
      log,
      health: new Health(clock),
      pace: new Pace(clock),
      dpop: createDpop({
        publicUrl: config.server.publicUrl,
        nonceKey: keptKey(config.keysDir, 'dpop-nonce.key', options.random),
        clock,
      }),
      signer,
      world: () => world,
    }
    await keepPolicies(broker, policies)
    await adoptUpstreams(broker, world, [])
    const lifecycle = await startLifecycle(broker)
    const listening: { at?: Listener } = {}
    const swap = (next: World) => {
      world = next
      try {
        listening.at?.renewTls(next.config)
      } catch (error) {
        // What is in force must still be enforced; the next reload reads the files again.
        log.error({ err: error }, 'the certificates of the listener stay as they were')
      }
    }
    const reload = createReloader(broker, { load: options, swap })
    const app = createApp(broker, { ready: readiness(store, clock), reload })
    listening.at = await listen(app.fetch, { config, port: options.port, clock })
    const { server, url } = listening.at
    await store.audit.append([started(config, store)])
    log.info({ url, installation: config.installation, epoch: store.epoch }, 'mayfly is ready')
    return { url, reload, stop: () => stop({ server, lifecycle, broker }) }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** An anchor that hangs must not keep leases from their end. */
const WITNESS_WAIT_MS = 3_000

async function witnessOf({ audit }: Config, { after }: ClockSource) {
  const { anchorPath } = audit
  if (anchorPath === undefined) return undefined
  let cancel = () => {}
  const tooLate = new Promise<undefined>((resolve) => {
    cancel = after(WITNESS_WAIT_MS, () => resolve(undefined))
  })
  return await Promise.race([lastAnchored(anchorPath), tooLate]).finally(() => cancel())
}

/** Belt and braces: secrets are `Secret` and headers are not logged, but a mistake must not leak. */
const REDACTED = {
  paths: ['authorization', '*.authorization', 'token', '*.token', 'headers', '*.headers', 'config'],
  censor: '[redacted]',
}

function started(config: Config, store: Store) {
  const { installation } = config
  return {
    type: 'broker.started',
    actor: 'mayfly',
    data: { installation, epoch: store.epoch },
  } as const
}

async function stop(parts: {
  server: Server
  lifecycle: Lifecycle
  broker: Broker
}): Promise<void> {
  const { server, lifecycle, broker } = parts
  broker.store.approvals.letGo()
  const drained = new Promise<void>((resolve) => server.close(() => resolve()))
  const cancel = broker.clock.after(DRAIN_MS, () => server.closeAllConnections())
  // One that is kept alive idles only once its last request is answered, also by the word above.
  let cancelIdle = () => {}
  const closeIdle = () => {
    server.closeIdleConnections()
    cancelIdle = broker.clock.after(CLOSE_IDLE_EVERY_MS, closeIdle)
  }
  closeIdle()
  await drained
  cancelIdle()
  cancel()
  await broker.store.audit.append([{ type: 'broker.stopped', actor: 'mayfly', data: {} }])
  await lifecycle.stop(LIFECYCLE_GRACE_MS)
  await closeUnused(broker.world(), undefined)
  await broker.store.close()
  broker.log.info({}, 'mayfly has stopped')
}
