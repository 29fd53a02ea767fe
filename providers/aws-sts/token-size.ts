import type { AssumeRoleCommandOutput } from '@aws-sdk/client-sts'
import { type ProviderLog, UpstreamError } from '../../src/provider.ts'

/** Of the 4,096 bytes that a session token may have (STS API reference). */
const NEARLY_FULL_PERCENT = 80

/** How full the session token was, in bytes and per cent, as far as STS says so. */
export function tokenSize(answer: AssumeRoleCommandOutput): Readonly<Record<string, number>> {
  const bytes = answer.SessionTokenSize ?? answer.Credentials?.SessionToken?.length
  const percent = answer.SessionTokenUtilization ?? answer.PackedPolicySize
  return {
    ...(bytes === undefined ? {} : { token_bytes: bytes }),
    ...(percent === undefined ? {} : { token_percent: percent }),
  }
}

export function fullness(answer: AssumeRoleCommandOutput): { readonly fullness?: number } {
  const { token_percent } = tokenSize(answer)
  return token_percent === undefined ? {} : { fullness: token_percent / 100 }
}

/** Says once for each role that its sessions nearly do not fit, before one does not. */
export class TokenWatch {
  readonly #log: ProviderLog
  readonly #told = new Set<string>()

  constructor(log: ProviderLog) {
    this.#log = log
  }

  saw(role: string, answer: AssumeRoleCommandOutput): void {
    const { token_percent = 0, token_bytes } = tokenSize(answer)
    if (token_percent < NEARLY_FULL_PERCENT || this.#told.has(role)) return
    this.#told.add(role)
    const what = 'session tokens of this role are nearly full: name fewer actions and locations'
    this.#log.warn({ role, token_percent, token_bytes }, what)
  }
}

/** The parts a session token is made of, longest first, for a refusal that it is too large. */
export function tooLarge(
  failure: UpstreamError,
  input: {
    readonly Policy: string
    readonly Tags: readonly { readonly Key: string; readonly Value: string }[]
  },
): UpstreamError {
  if (failure.upstreamCode !== 'PackedPolicyTooLarge') return failure
  const parts = [
    { name: 'the session policy', characters: input.Policy.length },
    ...input.Tags.map(({ Key, Value }) => ({
      name: `the tag ${Key}`,
      characters: Key.length + Value.length,
    })),
  ].toSorted((a, b) => b.characters - a.characters)
  const weights = parts.map(({ name, characters }) => `${name} ${characters}`).join(', ')
  const message = `${failure.message}; in characters: ${weights}`
  return new UpstreamError(failure.outcome, message, failure.upstreamCode)
}
