import { existsSync, statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Config, IssuerConfig, SignalSource } from '../config.ts'
import { readLimited } from '../identity/documents.ts'
import { transmitter } from '../identity/event-issuers.ts'
import { firstAddress } from '../identity/key-place.ts'
import { sendWith } from '../identity/send.ts'
import { reviewProblem } from '../identity/token-review.ts'
import { SKEW_MS } from '../model/lifetime.ts'
import type { Finding } from '../provider.ts'

const OTHERS = 0o077
const ISSUER_TIMEOUT_MS = 5_000

/** What this machine itself must offer: files nobody else reads, room on disk, the right time. */
export async function checkHost(
  config: Config,
  { now }: { now: () => number },
): Promise<Finding[]> {
  const issuers = await Promise.all(
    [...config.issuers.map(issuerKeys), ...config.signals.sources.flatMap(eventKeys)].map((keys) =>
      checkIssuer(keys, { now, secret: config.secret }),
    ),
  )
  const reviews = await Promise.all(config.issuers.map((issuer) => checkReview(issuer, config)))
  const files = [config.store.path, config.keysDir].map(checkMode)
  return [...files, checkDisk(config), ...issuers, ...reviews.flat()]
}

function checkMode(path: string): Finding {
  if (!existsSync(path))
    return { level: 'ok', what: `${path} does not exist yet: serve creates it` }
  const mode = statSync(path).mode & 0o777
  if ((mode & OTHERS) === 0) return { level: 'ok', what: `${path} is for its owner only` }
  return {
    level: 'warning',
    what: `${path} is open to others (mode ${mode.toString(8)})`,
    fix: `chmod go= ${path}`,
  }
}

function checkDisk({ store, limits }: Config): Finding {
  const place = existing(dirname(store.path))
  const { bavail, bsize } = statfsSync(place)
  const free = bavail * bsize
  const text = `${mebibytes(free)} MiB free at ${place}, the reserve is ${mebibytes(limits.freeDiskReserveBytes)} MiB`
  if (free > limits.freeDiskReserveBytes) return { level: 'ok', what: text }
  return {
    level: 'blocking',
    what: text,
    fix: 'free some space, or lower limits.free_disk_reserve',
  }
}

/** Whose keys are first asked for where; without an address they are a file. */
interface Keys {
  readonly name: string
  readonly place: ReturnType<typeof firstAddress>
  readonly without: string
}

function issuerKeys(issuer: IssuerConfig): Keys {
  const without = 'without its keys no evidence of it can be checked'
  return { name: `issuer ${issuer.name}`, place: firstAddress(issuer), without }
}

function eventKeys(source: SignalSource): Keys[] {
  if (source.type !== 'ssf') return []
  const url = source.jwks_uri ?? transmitter(source.issuer)
  const without = 'without its keys no event of it can be checked'
  return [{ name: `signal source ${source.name}`, place: { url, credentials: {} }, without }]
}

/** Also shows whether an issuer can be reached, and whether its clock agrees with ours. */
async function checkIssuer(
  { name, place, without }: Keys,
  { now, secret }: { now: () => number; secret: Config['secret'] },
): Promise<Finding> {
  if (place === undefined) return { level: 'ok', what: `${name}: keys in a file` }
  const { url, credentials } = place
  try {
    const response = await sendWith(credentials, { fetch, secret })(url, {
      method: 'GET',
      headers: new Headers({ accept: 'application/json' }),
      redirect: 'manual',
      signal: AbortSignal.timeout(ISSUER_TIMEOUT_MS),
    })
    await readLimited(response)
    if (response.status !== 200) {
      return { level: 'warning', what: `${name}: ${url} answered ${response.status}` }
    }
    const skew = now() - Date.parse(response.headers.get('date') ?? '')
    if (!(Math.abs(skew) > SKEW_MS)) return { level: 'ok', what: `${name} answers` }
    return {
      level: 'blocking',
      what: `this clock is ${Math.round(skew / 1000)} s apart from ${name}'s`,
      fix: 'let the host synchronise its clock (NTP)',
    }
  } catch {
    return {
      level: 'warning',
      what: `${name}: ${url} cannot be reached`,
      fix: without,
    }
  }
}

/** Whether the broker may ask a cluster about tokens, where it is told to. */
async function checkReview(issuer: IssuerConfig, { secret }: Config): Promise<Finding[]> {
  if (issuer.type !== 'kubernetes' || !issuer.token_review) return []
  const problem = await reviewProblem(issuer, { fetch, secret })
  const what = `issuer ${issuer.name}: ${problem ?? 'tokens can be reviewed'}`
  if (problem === undefined) return [{ level: 'ok', what }]
  const fix = 'give the account of api_server.token the cluster role system:auth-delegator'
  return [{ level: 'blocking', what, fix }]
}

function existing(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : existing(dirname(path))
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 1024 ** 2)
}
