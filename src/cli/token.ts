import { createHash } from 'node:crypto'
import { newToken, type Random } from '../ids.ts'
import type { Context, ExitCode } from './command.ts'

interface NewToken {
  readonly token: string
  /** The only thing of it that a file may hold. */
  readonly sha256: string
}

export function operatorToken(random: Random): NewToken {
  return hashed(newToken('mfo', random))
}

/** `token new`: the token is printed once and kept nowhere. */
export function printNewToken(
  { io, terminal }: Context,
  { kind }: { readonly kind: keyof typeof KINDS },
): ExitCode {
  const { prefix, to, under } = KINDS[kind]
  const { token, sha256 } = hashed(newToken(prefix, io.random))
  if (terminal.json) {
    terminal.answer({ token, token_sha256: sha256 })
    return 0
  }
  terminal.line(`token         ${token}`)
  terminal.line(`token_sha256: ${sha256}`)
  terminal.note(`the first line is shown once, give it to ${to};`)
  terminal.note(`the second belongs to the entry under ${under} in mayfly.yaml, then mayfly reload`)
  return 0
}

const KINDS = {
  operator: { prefix: 'mfo', to: 'the operator as MAYFLY_TOKEN', under: 'operators' },
  gateway: { prefix: 'mfg', to: 'the gateway as MAYFLY_TOKEN', under: 'gateways' },
  'resource-server': {
    prefix: 'mfr',
    to: 'the resource server as its client secret',
    under: 'resource_servers',
  },
} as const

function hashed(token: string): NewToken {
  return { token, sha256: createHash('sha256').update(token).digest('hex') }
}
