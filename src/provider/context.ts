import type { Clock } from '../clock.ts'
import type { UpstreamWriter } from '../model/upstream-writer.ts'
import type { Secret } from '../secret.ts'
import type { OwnTokens } from './own-tokens.ts'

export interface ProviderContext<Settings> {
  /** The instance's name in `providers`. */
  readonly name: string
  /** Part of every upstream name. */
  readonly installation: string
  readonly writer: UpstreamWriter
  readonly settings: Settings
  /** Every configured target of this instance, for `check`; each as the definition's `target`. */
  readonly targets?: readonly unknown[]
  readonly clock: Clock
  /** Resolves a reference (`env:NAME`, `file:PATH`) that the settings contain. */
  secret(reference: string): Secret
  readonly log: ProviderLog
  /** Absent where nothing is minted, as in `mayfly doctor`. */
  readonly ownTokens?: OwnTokens
}

export interface ProviderLog {
  info(data: Record<string, unknown>, message: string): void
  warn(data: Record<string, unknown>, message: string): void
}
