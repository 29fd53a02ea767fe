import type { MintRecord } from './ledger.ts'

/** What a role must allow for them. */
export const PROBE_ACTION = 'sts:GetAccessKeyInfo'
const LONGEST_MS = 15 * 60_000

/**
 * Whether a broker minted it to see for itself whether its denials bite: of no lease, and no longer
 * alive than AWS's shortest session (providers/aws-sts/README.md, Proof).
 */
export function isProbe({ upstream, name = '', at, nativeExpiresAt }: MintRecord): boolean {
  if (upstream !== 'aws' || !/^mf-(?:canary|control)-\d+-[0-9a-z]+$/.test(name)) return false
  return nativeExpiresAt - at <= LONGEST_MS
}
