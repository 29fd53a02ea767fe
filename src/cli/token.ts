import { createHash } from 'node:crypto'
import { newToken, type Random } from '../ids.ts'
import type { Context, ExitCode } from './command.ts'

/** A fresh operator token and the only thing of it that a file may hold. */
export function operatorToken(random: Random): { token: string; sha256: string } {
  const token = newToken('mfo', random)
  return { token, sha256: createHash('sha256').update(token).digest('hex') }
}

/** `token new`: the token is printed once and kept nowhere. */
export function printNewToken({ io, terminal }: Context): ExitCode {
  const { token, sha256 } = operatorToken(io.random)
  if (terminal.json) {
    terminal.answer({ token, token_sha256: sha256 })
    return 0
  }
  terminal.line(`token         ${token}`)
  terminal.line(`token_sha256: ${sha256}`)
  terminal.note('the first line is shown once, give it to the operator as MAYFLY_TOKEN;')
  terminal.note(
    'the second belongs to their entry under operators in mayfly.yaml, then mayfly reload',
  )
  return 0
}
