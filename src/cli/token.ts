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
  { kind }: { readonly kind: 'operator' | 'gateway' },
): ExitCode {
  const gateway = kind === 'gateway'
  const { token, sha256 } = gateway ? hashed(newToken('mfg', io.random)) : operatorToken(io.random)
  if (terminal.json) {
    terminal.answer({ token, token_sha256: sha256 })
    return 0
  }
  terminal.line(`token         ${token}`)
  terminal.line(`token_sha256: ${sha256}`)
  terminal.note(`the first line is shown once, give it to the ${kind} as MAYFLY_TOKEN;`)
  terminal.note(
    `the second belongs to ${gateway ? 'its' : 'their'} entry under ${kind}s in mayfly.yaml, then mayfly reload`,
  )
  return 0
}

function hashed(token: string): NewToken {
  return { token, sha256: createHash('sha256').update(token).digest('hex') }
}
