/** `sys/*`: policies, leases, what a token may, and whether the server is well. */
import type { Answer } from '../faults.ts'
import { type Caller, requireSudo, splitOnce } from './auth-token.ts'
import {
  accepted,
  type Exchange,
  flag,
  keys,
  noContent,
  ok,
  seconds,
  text,
  textList,
  VaultRefusal,
} from './exchange.ts'
import type { Lease, LeaseStore } from './lease-store.ts'
import { type PathRule, parsePolicy } from './policy-document.ts'

/** What Vault's own `default` policy grants, as far as the sandbox has it. */
const DEFAULT_POLICY = ['lookup-self', 'renew-self', 'revoke-self']
  .map((verb) => `path "auth/token/${verb}" { capabilities = ["read", "update"] }`)
  .concat(
    'path "sys/capabilities-self" { capabilities = ["update"] }',
    'path "sys/leases/renew" { capabilities = ["update"] }',
    'path "sys/leases/lookup" { capabilities = ["update"] }',
  )
  .join('\n')

export class Policies {
  readonly #documents = new Map<string, { source: string; rules: readonly PathRule[] }>()

  constructor() {
    this.write('default', DEFAULT_POLICY)
  }

  /** The rules of those that exist; a name without a policy grants nothing. */
  rulesOf(names: readonly string[]): readonly (readonly PathRule[])[] {
    return names.flatMap((name) => {
      const document = this.#documents.get(name)
      return document ? [document.rules] : []
    })
  }

  has(name: string): boolean {
    return this.#documents.has(name)
  }

  write(name: string, source: string): void {
    this.#documents.set(name.toLowerCase(), { source, rules: parsePolicy(source) })
  }

  handle({ operation, data }: Exchange, rawName: string): Answer {
    const name = rawName.toLowerCase()
    if (operation === 'list' || (operation === 'read' && name === '')) {
      return keys([...this.#documents.keys(), 'root'])
    }
    if (operation === 'create' || operation === 'update') {
      if (name === 'root') throw new VaultRefusal(400, 'cannot update "root" policy')
      const source = text(data, 'policy')
      if (!source) throw new VaultRefusal(400, "'policy' parameter not supplied or empty")
      this.write(name, source)
      return noContent()
    }
    if (operation === 'delete') {
      if (name === 'root' || name === 'default') {
        throw new VaultRefusal(400, `cannot delete "${name}" policy`)
      }
      this.#documents.delete(name)
      return noContent()
    }
    const document = this.#documents.get(name)
    if (!document) throw new VaultRefusal(404)
    return ok({ data: { name, policy: document.source } })
  }
}

export function handleLeases(
  leases: LeaseStore,
  exchange: Exchange,
  path: string,
  caller: Caller,
): Answer {
  const { operation, data } = exchange
  const [verb, rest] = splitOnce(path)
  if (verb === 'lookup' && operation === 'list') {
    requireSudo(caller, exchange.path)
    return keys(leases.under(rest).map((lease) => lease.id.slice(rest.length)))
  }
  if (operation !== 'create' && operation !== 'update') {
    throw new VaultRefusal(405, 'unsupported operation')
  }
  if (verb === 'revoke-prefix' || verb === 'revoke-force') {
    requireSudo(caller, exchange.path)
    for (const lease of leases.under(rest)) leases.revokeNow(lease.id)
    return noContent()
  }
  const id = rest || text(data, 'lease_id')
  if (!id) throw new VaultRefusal(400, 'lease_id must be specified')
  switch (verb) {
    case 'lookup':
      return lookup(leases, leases.find(id))
    case 'renew': {
      const lease = leases.renew(id, seconds(data, 'increment'))
      return ok({
        lease_id: lease.id,
        lease_duration: leases.ttlOf(lease),
        renewable: lease.renewable,
      })
    }
    case 'revoke':
      if (flag(data, 'sync') === true) {
        leases.revokeNow(id)
        return noContent()
      }
      leases.revokeLater(id)
      return accepted()
    default:
      throw new VaultRefusal(404, 'unsupported path')
  }
}

/** A failed revocation shows here only once Vault has given it up, which this one never does. */
function lookup(leases: LeaseStore, lease: Lease | undefined): Answer {
  if (!lease) throw new VaultRefusal(400, 'invalid lease')
  return ok({
    data: {
      id: lease.id,
      issue_time: new Date(lease.issuedAt).toISOString(),
      expire_time: new Date(lease.expiresAt).toISOString(),
      last_renewal: lease.renewedAt === undefined ? null : new Date(lease.renewedAt).toISOString(),
      renewable: lease.renewable,
      ttl: leases.ttlOf(lease),
    },
  })
}

export function capabilitiesSelf({ data }: Exchange, caller: Caller): Answer {
  const paths = textList(data, 'paths') ?? textList(data, 'path') ?? []
  if (paths.length === 0) throw new VaultRefusal(400, 'paths must be supplied')
  const answers = paths.map((path) => [path, caller.acl.capabilities(path)] as const)
  return ok({
    data: {
      ...Object.fromEntries(answers),
      ...(answers.length === 1 ? { capabilities: answers[0]?.[1] } : {}),
    },
  })
}
