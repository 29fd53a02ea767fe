import { constants } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls'
import type { Config } from './config.ts'
import type { Problem } from './errors.ts'
import { readTrustRoots } from './identity/trust-roots.ts'

/** SSL_OP_NO_RENEGOTIATION of OpenSSL, which the types of node's constants leave out. */
const NO_RENEGOTIATION = 0x40000000

/** What the API's listener needs of its files; undefined where it speaks plain HTTP. */
export function tlsOptions(config: Config): TlsOptions | undefined {
  const context = secureContext(config)
  if (context === undefined) return undefined
  return {
    ...context,
    // Who shows no certificate, or one that does not hold, is refused where one is needed.
    requestCert: context.ca !== undefined,
    rejectUnauthorized: false,
  }
}

/** The part of them that can be replaced while listening. */
export function secureContext(config: Config): SecureContextOptions | undefined {
  const { tls } = config.server
  if (tls === undefined) return undefined
  const ca = authorities(config)
  return {
    cert: readFileSync(tls.cert),
    key: readFileSync(tls.key),
    minVersion: 'TLSv1.2',
    // Neither a session resumed without its certificate nor another certificate later on.
    secureOptions: constants.SSL_OP_NO_TICKET | NO_RENEGOTIATION,
    ...(ca.length === 0 ? {} : { ca }),
  }
}

/** The fingerprints of all of them, SHA-256. */
export function authoritiesOf(config: Config): string[] {
  return authorities(config).flatMap((pem) => {
    const read = readTrustRoots(pem)
    // A text that is no fingerprint makes nobody the only authority.
    return typeof read === 'string' ? [read] : read.map(({ fingerprint256 }) => fingerprint256)
  })
}

/** Whose client certificates the handshake accepts; which of them vouches for what is for others. */
function authorities({ server, issuers, secret }: Config): string[] {
  const file = server.tls?.clientCa
  const bundles = issuers.filter((issuer) => issuer.type === 'spiffe-x509')
  return [
    ...(file === undefined ? [] : [readFileSync(file, 'utf8')]),
    ...bundles.map(({ bundle }) => secret(bundle).reveal()),
  ]
}

/** What is wrong with the files, each with its path (P16). */
export function tlsProblems(config: Config): Problem[] {
  const { tls } = config.server
  if (tls === undefined) return []
  const { cert, key, clientCa } = tls
  const files = { cert, key, ...(clientCa === undefined ? {} : { client_ca: clientCa }) }
  const unreadable = Object.entries(files).flatMap(([name, path]) => {
    const problem = unreadableFile(path) ?? (name === 'client_ca' ? noAuthorities(path) : undefined)
    return problem === undefined ? [] : [{ path: `server.tls.${name}`, message: problem }]
  })
  if (unreadable.length > 0) return unreadable
  try {
    createSecureContext(secureContext(config))
    return []
  } catch (error) {
    return [
      { path: 'server.tls', message: `cannot be used (${codeOf(error)}): is key the key of cert?` },
    ]
  }
}

function unreadableFile(path: string): string | undefined {
  try {
    readFileSync(path)
    return undefined
  } catch (error) {
    return `${path} cannot be read (${codeOf(error)})`
  }
}

/** OpenSSL would pass over what it cannot read there, and then trust nobody. */
function noAuthorities(path: string): string | undefined {
  const read = readTrustRoots(readFileSync(path, 'utf8'))
  return typeof read === 'string' ? `${path} ${read}` : undefined
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
