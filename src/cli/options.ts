import { type Command, InvalidArgumentError } from 'commander'
import { parseDuration } from '../duration.ts'
import { SELECTOR_FIELDS, type SelectorField } from '../model/selector.ts'

export const REASON = '--reason <text>'
export const WHY = 'why, for the audit log and whoever looks next'

export function paged(command: Command): Command {
  return command
    .option('--limit <count>', 'at most so many', positive)
    .option('--cursor <cursor>', 'where the page before ended')
}

function positive(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number above zero.')
}

/** `--wait`, read before anything is sent: what is refused as badly written did nothing. */
export function waiting(command: Command): Command {
  return command.option(
    '--wait [duration]',
    'show how it comes along until nothing waits for its upstream any more (60s)',
    waitSeconds,
  )
}

function waitSeconds(text: string): number {
  const seconds = parseDuration(text)
  if (seconds !== undefined) return seconds
  throw new InvalidArgumentError('It must be a duration like 30s or 5m.')
}

export function withSelector(command: Command): Command {
  for (const field of SELECTOR_FIELDS) {
    command.option(`--${field.replace('_', '-')} <value>`, NAMED[field])
  }
  return command
}

/** Compared letter by letter, so where each is read is said. */
const NAMED: Readonly<Record<SelectorField, string>> = {
  lease: 'its id',
  task: 'its id; what it delegated is meant too',
  agent: 'as in agents ls',
  workload: 'issuer/subject, as in tasks show',
  tenant: 'as in agents ls',
  entitlement: 'as in entitlements ls',
  provider: 'as in providers ls',
  target: 'the whole of it, as in leases show',
  issuer: 'its name in mayfly.yaml',
  policy_hash: 'of the policies that permitted it, as in decisions show',
}

/** Flags in camel case back to the selector's own names. */
export function selectorFlags(flags: Record<string, string | boolean | undefined>) {
  const { policyHash, ...rest } = flags
  return { ...rest, policy_hash: policyHash }
}
