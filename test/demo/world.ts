import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiClient, apiClient } from '../../src/client/http.ts'
import type { ClockSource } from '../../src/clock.ts'
import type { Random } from '../../src/ids.ts'
import { type Served, serve } from '../../src/serve.ts'
import { type WrittenConfiguration, writeConfiguration } from './configuration.ts'
import { type Issuer, startIssuer } from './issuer.ts'
import { LEVELS } from './team.ts'
import { startUpstreams, type Upstreams } from './upstreams.ts'

/** Everything the demo plays with: a real Mayfly between a real issuer and sandboxed clouds. */
export interface World {
  /** Where Mayfly listens. */
  readonly url: string
  readonly issuer: Issuer
  readonly upstreams: Upstreams
  readonly configuration: WrittenConfiguration
  readonly operator: ApiClient
  readonly clockSource: ClockSource
  readonly random: Random
  /** The API as whoever bears `token`: a workload's evidence or a task. */
  as(token: string): ApiClient
  /** Stops everything and leaves nothing on disk. */
  close(): Promise<void>
}

/** Starts issuer, upstreams and Mayfly on free loopback ports, its files in a new directory. */
export async function startWorld({ random }: { random: Random }): Promise<World> {
  await using started = new AsyncDisposableStack()
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-demo-'))
  const remove = () => rmSync(dir, { recursive: true, force: true })
  process.once('exit', remove)
  started.defer(() => {
    remove()
    process.removeListener('exit', remove)
  })
  const issuer = started.adopt(await startIssuer(random, LEVELS.flat()), (one) => one.close())
  const upstreams = started.adopt(await startUpstreams(), (one) => one.close())
  const parts = { upstreams, issuerUrl: issuer.url, random }
  const configuration = writeConfiguration(dir, parts)
  const served = started.adopt(await start(configuration, random), (one) => one.stop())
  const as = (token: string) => apiClient({ url: served.url, token })
  const running = started.move()
  return {
    url: served.url,
    issuer,
    upstreams,
    configuration,
    operator: as(configuration.operatorToken),
    clockSource,
    random,
    as,
    close: () => running.disposeAsync(),
  }
}

/** The composition root itself, as `mayfly serve` calls it: here on a free port, with a quiet log. */
function start({ file, env }: WrittenConfiguration, random: Random): Promise<Served> {
  const logTo = { write: (line: string) => void process.stderr.write(line) }
  return serve({ file, env, clockSource, random, port: 0, logTo, logLevel: 'error' })
}

const clockSource: ClockSource = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
