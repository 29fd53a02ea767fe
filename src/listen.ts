import type { Server } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Config } from './config.ts'
import { MayflyError } from './errors.ts'
import { secureContext, tlsOptions } from './tls.ts'

type Fetch = Parameters<typeof createAdaptorServer>[0]['fetch']

export interface Listener {
  readonly server: Server
  /** Where it really listens. */
  readonly url: string
  /** Reads certificates and authorities anew, for connections to come. */
  renewTls(config: Config): void
}

/** Listens where the configuration says, with TLS if it says so; `port` instead of its own. */
export async function listen(
  fetch: Fetch,
  config: Config,
  port: number | undefined,
): Promise<Listener> {
  const { host } = config.server
  const tls = tlsOptions(config)
  const secure = tls && { createServer: createTlsServer, serverOptions: tls }
  // Without `createServer` for http2 the adaptor makes a node:http or node:https server.
  const server = createAdaptorServer({ fetch, ...secure } as Parameters<
    typeof createAdaptorServer
  >[0]) as Server
  server.requestTimeout = 30_000
  server.headersTimeout = 10_000
  server.keepAliveTimeout = 65_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port ?? config.server.port, host, resolve)
  }).catch((error: Error) => {
    throw new MayflyError('config_invalid', `server.listen: ${error.message}`, { cause: error })
  })
  const address = server.address() as AddressInfo // a TCP server's, never a pipe's
  const authority = `${host.includes(':') ? `[${host}]` : host}:${address.port}`
  return {
    server,
    url: `${tls ? 'https' : 'http'}://${authority}`,
    renewTls(next) {
      const context = secureContext(next)
      if (server instanceof TlsServer && context !== undefined) server.setSecureContext(context)
    },
  }
}
