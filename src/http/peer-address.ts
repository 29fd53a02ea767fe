import { isIP } from 'node:net'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'

/**
 * The address a request came from: that of its connection, or, where a proxy ends TLS, the last one
 * that proxy noted in `x-forwarded-for`; those before it anybody can write. Undefined where neither
 * is known.
 */
export function peerAddress(
  c: Context,
  { behindProxy }: { readonly behindProxy: boolean },
): string | undefined {
  // Not there where an application is asked without a server.
  const { incoming } = (c.env ?? {}) as Partial<HttpBindings>
  const address = behindProxy
    ? c.req.header('x-forwarded-for')?.split(',').at(-1)?.trim()
    : incoming?.socket.remoteAddress
  return address !== undefined && isIP(address) > 0 ? address : undefined
}
