/** `auth/token/*`: create, look up, renew and revoke tokens, and the roles they are made from. */
import type { Answer } from '../faults.ts'
import type { Acl } from './acl.ts'
import {
  type Exchange,
  flag,
  keys,
  noContent,
  ok,
  permissionDenied,
  seconds,
  text,
  textList,
  VaultRefusal,
} from './exchange.ts'
import type { Token, TokenStore } from './token-store.ts'

export interface Caller {
  readonly token: Token
  readonly acl: Acl
}

interface TokenRole {
  readonly allowedPolicies: readonly string[]
  readonly allowedPoliciesGlob: readonly string[]
  readonly disallowedPolicies: readonly string[]
  readonly orphan: boolean
  readonly renewable: boolean
  readonly tokenType: string
  readonly explicitMaxTtlSeconds: number | undefined
  readonly noDefaultPolicy: boolean
  readonly raw: Readonly<Record<string, unknown>>
}

export class AuthToken {
  readonly #roles = new Map<string, TokenRole>()
  readonly #tokens: TokenStore

  constructor(tokens: TokenStore) {
    this.#tokens = tokens
  }

  exists(path: string): boolean {
    return path.startsWith('roles/') && this.#roles.has(path.slice('roles/'.length))
  }

  handle(exchange: Exchange, path: string, caller: Caller): Answer {
    const [verb = '', rest = ''] = splitOnce(path)
    const { operation, data } = exchange
    if (verb === 'roles') return this.#role(exchange, rest)
    if (operation === 'read' && verb === 'lookup-self') return this.#lookup(caller.token, true)
    if (operation === 'list' && verb === 'accessors') return keys(this.#tokens.accessors())
    if (operation !== 'create' && operation !== 'update') {
      throw new VaultRefusal(405, 'unsupported operation')
    }
    switch (verb) {
      case 'create':
        return this.#create(data, caller, rest)
      case 'create-orphan':
        return this.#create({ ...data, no_parent: true }, caller, '', 'orphan endpoint')
      case 'lookup':
        return this.#lookup(this.#byId(text(data, 'token') ?? caller.token.id), true)
      case 'lookup-self':
        return this.#lookup(caller.token, true)
      case 'lookup-accessor':
        return this.#lookup(this.#byAccessor(data), false)
      case 'renew':
        return this.#renew(this.#byId(text(data, 'token') ?? caller.token.id), data)
      case 'renew-self':
        return this.#renew(caller.token, data)
      case 'renew-accessor':
        return this.#renew(this.#byAccessor(data), data)
      case 'revoke':
        this.#tokens.revoke(this.#byId(text(data, 'token') ?? ''))
        return noContent()
      case 'revoke-self':
        this.#tokens.revoke(caller.token)
        return noContent()
      case 'revoke-accessor':
        return this.#revokeAccessor(data)
      default:
        throw new VaultRefusal(404, 'unsupported path')
    }
  }

  /** An accessor nobody knows is a success with a warning (since Vault 1.10). */
  #revokeAccessor(data: Readonly<Record<string, unknown>>): Answer {
    const token = this.#tokens.byAccessor(text(data, 'accessor') ?? '')
    if (!token) return ok({ warnings: ['No token found with this accessor'] })
    this.#tokens.revoke(token)
    return noContent()
  }

  #create(
    data: Readonly<Record<string, unknown>>,
    caller: Caller,
    roleName: string,
    via?: 'orphan endpoint',
  ): Answer {
    const role = roleName === '' ? undefined : this.#roles.get(roleName)
    if (roleName !== '' && !role) throw new VaultRefusal(400, `unknown role ${roleName}`)
    if (caller.token.type === 'batch' || caller.token.limitedUses) {
      throw new VaultRefusal(400, 'restricted use token cannot generate child tokens')
    }
    const sudo = caller.acl.hasSudo(`auth/token/create${roleName === '' ? '' : `/${roleName}`}`)
    const wantsNoParent = flag(data, 'no_parent') === true
    if (wantsNoParent && !role && !via && !sudo) {
      throw new VaultRefusal(400, 'root or sudo privileges required to create orphan token')
    }
    const policies = this.#policies(data, caller, role, sudo)
    if (policies.length === 0) {
      throw new VaultRefusal(400, 'token must have at least one policy')
    }
    if (policies.includes('root') && !caller.token.policies.includes('root')) {
      throw new VaultRefusal(400, 'root tokens may not be created without parent token being root')
    }
    const orphan = role ? role.orphan : wantsNoParent
    const token = this.#tokens.create({
      parent: orphan ? undefined : caller.token,
      policies,
      meta: metaOf(data),
      path: `auth/token/create${roleName === '' ? '' : `/${roleName}`}`,
      displayName: text(data, 'display_name') ? `token-${text(data, 'display_name')}` : 'token',
      ...(roleName === '' ? {} : { role: roleName }),
      type: typeOf(data, role),
      ttlSeconds: seconds(data, 'ttl'),
      explicitMaxTtlSeconds: least(seconds(data, 'explicit_max_ttl'), role?.explicitMaxTtlSeconds),
      renewable: flag(data, 'renewable') ?? role?.renewable ?? true,
      numUses: seconds(data, 'num_uses'),
    })
    return ok({ auth: authOf(token, this.#tokens) })
  }

  /** The trap is Vault's own: without any policy named, the child gets all of its parent's. */
  #policies(
    data: Readonly<Record<string, unknown>>,
    caller: Caller,
    role: TokenRole | undefined,
    sudo: boolean,
  ): readonly string[] {
    const wanted = (textList(data, 'policies') ?? []).map((name) => name.toLowerCase())
    const plain = flag(data, 'no_default_policy') === true || role?.noDefaultPolicy === true
    const addDefault = !plain && !role?.disallowedPolicies.includes('default')
    const withDefault = (names: readonly string[]) =>
      unique(addDefault && !names.includes('root') ? [...names, 'default'] : names)
    const limited =
      role !== undefined && role.allowedPolicies.length + role.allowedPoliciesGlob.length > 0
    if (!limited) {
      const names = wanted.length > 0 ? wanted : caller.token.policies
      const inherits = names.every((name) => caller.token.policies.includes(name))
      if (!role && !sudo && !inherits && !caller.token.policies.includes('root')) {
        throw new VaultRefusal(400, 'child policies must be subset of parent')
      }
      return withDefault(names)
    }
    if (wanted.length === 0) return withDefault(role.allowedPolicies)
    const fits = wanted.every(
      (name) =>
        (name === 'default' && addDefault) ||
        role.allowedPolicies.includes(name) ||
        role.allowedPoliciesGlob.some((glob) => globMatches(glob, name)),
    )
    if (!fits) {
      throw new VaultRefusal(
        400,
        `token policies (${quoted(wanted)}) must be subset of the role's allowed policies (${quoted(role.allowedPolicies)}) or glob policies (${quoted(role.allowedPoliciesGlob)})`,
      )
    }
    return withDefault(wanted)
  }

  #lookup(token: Token, withId: boolean): Answer {
    return ok({
      data: {
        accessor: token.accessor,
        creation_time: Math.floor(token.createdAt / 1_000),
        creation_ttl: token.creationTtlSeconds,
        display_name: token.displayName,
        entity_id: '',
        expire_time: token.expiresAt === undefined ? null : new Date(token.expiresAt).toISOString(),
        explicit_max_ttl: token.explicitMaxTtlSeconds,
        id: withId ? token.id : '',
        issue_time: new Date(token.createdAt).toISOString(),
        meta: token.meta,
        num_uses: token.usesLeft,
        orphan: token.parent === undefined,
        path: token.path,
        policies: token.policies,
        renewable: token.renewable,
        ...(token.role === undefined ? {} : { role: token.role }),
        ttl: this.#tokens.ttlOf(token),
        type: token.type,
      },
    })
  }

  #renew(token: Token, data: Readonly<Record<string, unknown>>): Answer {
    this.#tokens.renew(token, seconds(data, 'increment'))
    return ok({ auth: { ...authOf(token, this.#tokens), client_token: '' } })
  }

  #byId(id: string): Token {
    const token = this.#tokens.byId(id)
    if (!token) throw new VaultRefusal(403, 'bad token')
    return token
  }

  #byAccessor(data: Readonly<Record<string, unknown>>): Token {
    const token = this.#tokens.byAccessor(text(data, 'accessor') ?? '')
    if (!token) throw new VaultRefusal(400, 'invalid accessor')
    return token
  }

  #role({ operation, data }: Exchange, name: string): Answer {
    if (operation === 'list') return keys(this.#roles.keys())
    if (operation === 'create' || operation === 'update') {
      this.#roles.set(name, parseRole({ ...this.#roles.get(name)?.raw, ...data }))
      return noContent()
    }
    const role = this.#roles.get(name)
    if (operation === 'delete') {
      this.#roles.delete(name)
      return noContent()
    }
    if (!role) throw new VaultRefusal(404)
    return ok({
      data: {
        name,
        allowed_policies: role.allowedPolicies,
        allowed_policies_glob: role.allowedPoliciesGlob,
        disallowed_policies: role.disallowedPolicies,
        orphan: role.orphan,
        renewable: role.renewable,
        token_type: role.tokenType,
        token_explicit_max_ttl: role.explicitMaxTtlSeconds ?? 0,
        token_no_default_policy: role.noDefaultPolicy,
        path_suffix: '',
        token_period: 0,
        token_bound_cidrs: [],
      },
    })
  }
}

/** The `auth` part of an answer; batch tokens have no accessor. */
export function authOf(token: Token, tokens: TokenStore): Readonly<Record<string, unknown>> {
  return {
    client_token: token.id,
    accessor: token.accessor,
    policies: token.policies,
    token_policies: token.policies,
    metadata: Object.keys(token.meta).length === 0 ? null : token.meta,
    lease_duration: tokens.ttlOf(token),
    renewable: token.renewable,
    entity_id: '',
    token_type: token.type,
    orphan: token.parent === undefined,
    mfa_requirement: null,
    num_uses: token.usesLeft,
  }
}

function parseRole(raw: Readonly<Record<string, unknown>>): TokenRole {
  return {
    allowedPolicies: textList(raw, 'allowed_policies') ?? [],
    allowedPoliciesGlob: textList(raw, 'allowed_policies_glob') ?? [],
    disallowedPolicies: textList(raw, 'disallowed_policies') ?? [],
    orphan: flag(raw, 'orphan') ?? false,
    renewable: flag(raw, 'renewable') ?? true,
    tokenType: text(raw, 'token_type') ?? 'default-service',
    explicitMaxTtlSeconds: seconds(raw, 'token_explicit_max_ttl'),
    noDefaultPolicy: flag(raw, 'token_no_default_policy') ?? false,
    raw,
  }
}

function typeOf(
  data: Readonly<Record<string, unknown>>,
  role: TokenRole | undefined,
): 'service' | 'batch' {
  if (role?.tokenType === 'service' || role?.tokenType === 'batch') return role.tokenType
  const asked = text(data, 'type')
  if (asked === 'service' || asked === 'batch') return asked
  return role?.tokenType === 'default-batch' ? 'batch' : 'service'
}

function metaOf(data: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const meta = data.meta
  if (typeof meta !== 'object' || meta === null) return {}
  return Object.fromEntries(Object.entries(meta).map(([key, value]) => [key, String(value)]))
}

function globMatches(glob: string, name: string): boolean {
  const parts = glob.split('*')
  if (parts.length === 1) return glob === name
  const head = parts[0] ?? ''
  const tail = parts.at(-1) ?? ''
  return name.length >= head.length + tail.length && name.startsWith(head) && name.endsWith(tail)
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort()
}

function quoted(names: readonly string[]): string {
  return `[${names.map((name) => `"${name}"`).join(' ')}]`
}

export function splitOnce(path: string): [string, string] {
  const slash = path.indexOf('/')
  return slash < 0 ? [path, ''] : [path.slice(0, slash), path.slice(slash + 1)]
}

export function requireSudo(caller: Caller, path: string): void {
  if (!caller.acl.hasSudo(path)) throw permissionDenied()
}
