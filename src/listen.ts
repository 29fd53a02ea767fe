import type { Server } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { MayflyError } from './errors.ts'
import { HANDSHAKE_MS, Handshakes } from './handshakes.ts'
import { authoritiesOf, secureContext, tlsOptions } from './tls.ts'

type Options = Parameters<typeof createAdaptorServer>[0]
type Fetch = Options['fetch']

export interface Listener {
  readonly server: Server
  /** Where it really listens. */
  readonly url: string
  /** Reads certificates and authorities anew, for connections to come. */
  renewTls(config: Config): void
}

/**
 * Listens where the configuration says, with TLS if it says so; `port` instead of its own. With a
 * request over TLS comes `authorities`: what its handshake can have relied on.
 */
export async function listen(
  fetch: Fetch,
  { config, port, clock }: { config: Config; port: number | undefined; clock: Clock },
): Promise<Listener> {
  const { host } = config.server
  const tls = tlsOptions(config)
  const handshakes = new Handshakes(clock, authoritiesOf(config))
  const relied = new WeakMap<object, readonly string[]>()
  const secure = tls && {
    createServer: createTlsServer,
    serverOptions: { ...tls, handshakeTimeout: HANDSHAKE_MS },
    fetch: ((request, env) =>
      fetch(
        request,
        Object.assign(env, { authorities: relied.get(env.incoming.socket) }),
      )) as Fetch,
  }
  // Without `createServer` for http2 the adaptor makes a node:http or node:https server.
  const server = createAdaptorServer({ fetch, ...secure } as Options) as Server
  server.on('secureConnection', (socket) => relied.set(socket, handshakes.reliedOn()))
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
      if (!(server instanceof TlsServer) || context === undefined) return
      handshakes.replace(authoritiesOf(next))
      server.setSecureContext(context)
    },
  }
}
