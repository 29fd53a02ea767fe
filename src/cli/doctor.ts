import { steadyClock } from '../clock.ts'
import type { Config, ProviderConfig } from '../config.ts'
import type { Finding, Provider } from '../provider.ts'
import type { Context, ExitCode } from './command.ts'
import { loadOrExplain } from './config-files.ts'
import { checkHost } from './host-checks.ts'
import { safe } from './terminal.ts'

const CHECK_TIMEOUT_MS = 20_000

interface Examined {
  readonly where: string
  readonly findings: readonly Finding[]
}

/**
 * `doctor`: configuration → this host → issuers' clocks → every provider's own check. Changes
 * nothing anywhere; 1 if anything would keep the broker from minting.
 */
export async function doctor(context: Context, file: string): Promise<ExitCode> {
  const loaded = await loadOrExplain(context, file)
  if (loaded === undefined) return 1
  const { config } = loaded
  const [host, ...providers] = await Promise.all([
    checkHost(config, { now: context.now }),
    ...config.providers.map((provider) => checkProvider(context, { config, provider })),
  ])
  const examined: Examined[] = [{ where: 'this host', findings: host }, ...providers]
  const blocking = examined.flatMap((one) => one.findings).some((f) => f.level === 'blocking')
  if (context.terminal.json) context.terminal.answer({ ok: !blocking, examined })
  else for (const one of examined) print(context, one)
  return blocking ? 1 : 0
}

async function checkProvider(
  { io }: Context,
  { config, provider }: { config: Config; provider: ProviderConfig },
): Promise<Examined> {
  const where = `provider ${provider.name} (${provider.type})`
  let instance: Provider | undefined
  try {
    instance = provider.definition.create({
      name: provider.name,
      installation: config.installation,
      // Nothing is written.
      writer: {
        epoch: 0,
        shardFor: () => 0,
        leave: () => {},
        isWritten: () => false,
        retire: () => false,
        latestExpiry: () => undefined,
      },
      settings: provider.settings,
      targets: config.entitlements
        .filter((entitlement) => entitlement.provider === provider.name)
        .map((entitlement) => entitlement.target),
      clock: steadyClock(io.clockSource, 0),
      secret: config.secret,
      log: { info: () => {}, warn: () => {} },
    })
    return { where, findings: await within(io, instance.check()) }
  } catch (error) {
    // Providers write their own errors for operators, without secrets.
    const what = error instanceof Error ? error.message : 'the check failed'
    return { where, findings: [{ level: 'blocking', what }] }
  } finally {
    await instance?.close().catch(() => undefined)
  }
}

function within<T>(io: Context['io'], promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = io.clockSource.after(CHECK_TIMEOUT_MS, () =>
      reject(new Error(`did not answer within ${CHECK_TIMEOUT_MS / 1000} s`)),
    )
    promise.then(resolve, reject).finally(cancel)
  })
}

const MARKS = { ok: 'ok', warning: 'warning', blocking: 'BLOCKING' } as const
const STYLES = { ok: 'green', warning: 'yellow', blocking: 'red' } as const

function print({ terminal }: Context, { where, findings }: Examined): void {
  terminal.line(terminal.paint('bold', where))
  for (const { level, what, fix } of findings) {
    const mark = terminal.paint(STYLES[level], MARKS[level].padEnd(8))
    terminal.line(`  ${mark}  ${safe(what)}`)
    if (fix !== undefined) terminal.line(`  ${' '.repeat(8)}  -> ${safe(fix)}`)
  }
  if (findings.length === 0) terminal.line('  nothing to report')
}
