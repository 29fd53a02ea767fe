import { isIPv4, isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { Report } from './report.ts'

/** Where the API listens, and under which address others reach it. */
export interface ServerConfig {
  readonly host: string
  readonly port: number
  /** Without a trailing slash. */
  readonly publicUrl: string
  /** A proxy in front ends TLS; only then may a plain listener leave loopback. */
  readonly behindProxy: boolean
  /** Absolute paths of PEM files. */
  readonly tls?: {
    readonly cert: string
    readonly key: string
    /** The authorities of client certificates; absent: none is asked for. */
    readonly clientCa?: string
  }
}

const schema = z.strictObject({
  listen: z.string().default('127.0.0.1:8700'),
  public_url: z.string().optional(),
  behind_proxy: z.boolean().default(false),
  tls: z
    .strictObject({
      cert: z.string().min(1),
      key: z.string().min(1),
      client_ca: z.string().min(1).optional(),
    })
    .optional(),
})

/** Reads `server`: beyond loopback it needs TLS here or a proxy that does it. */
export function parseServer(report: Report, value: unknown, baseDir: string) {
  const raw = report.parse(schema, value ?? {}, 'server')
  const address = raw && parseListen(raw.listen)
  if (!raw) return undefined
  if (!address) {
    report.problem('server.listen', `"${raw.listen}" must be host:port, for example 127.0.0.1:8700`)
    return undefined
  }
  const local = isLoopback(address.host)
  if (!local && !raw.tls && !raw.behind_proxy) {
    report.problem(
      'server.listen',
      `"${raw.listen}" is reachable from outside: give tls: {cert, key}, or behind_proxy: true`,
    )
  }
  if (!local && raw.public_url === undefined) {
    report.problem('server.public_url', 'is required where listen is not a loopback address')
  }
  const host = isIPv6(address.host) ? `[${address.host}]` : address.host
  const own = `${raw.tls ? 'https' : 'http'}://${host}:${address.port}`
  const publicUrl = checkPublicUrl(report, raw.public_url ?? own)
  if (publicUrl === undefined) return undefined
  const tls = raw.tls && {
    cert: resolve(baseDir, raw.tls.cert),
    key: resolve(baseDir, raw.tls.key),
    ...(raw.tls.client_ca === undefined ? {} : { clientCa: resolve(baseDir, raw.tls.client_ca) }),
  }
  return { ...address, publicUrl, behindProxy: raw.behind_proxy, ...(tls ? { tls } : {}) }
}

/** Whether only programs of this machine can reach `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

function parseListen(text: string) {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65_535) return undefined
  if (match[1] !== undefined && !isIPv6(match[1])) return undefined
  return { host: match[1] ?? match[2] ?? '', port }
}

function checkPublicUrl(report: Report, text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const usable = url !== undefined && /^https?:$/.test(url.protocol) && url.username === ''
  if (!usable || url.password !== '' || url.search !== '' || url.hash !== '') {
    report.problem('server.public_url', `"${text}" must be an http or https address and no more`)
    return undefined
  }
  const plain = url.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''))
  if (plain) {
    report.warn('server.public_url', 'is not https: task tokens and credentials travel in clear')
  }
  return text.replace(/\/+$/, '')
}
