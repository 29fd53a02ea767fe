/** `auth/approle` and, for one accepted text per role, `auth/kubernetes` and `auth/jwt`. */
import { randomUUID } from 'node:crypto'
import type { Answer } from '../faults.ts'
import { authOf, splitOnce } from './auth-token.ts'
import {
  type Exchange,
  flag,
  noContent,
  ok,
  seconds,
  text,
  textList,
  VaultRefusal,
} from './exchange.ts'
import type { TokenStore } from './token-store.ts'

interface LoginRole {
  readonly name: string
  readonly roleId: string
  readonly secretIds: Set<string>
  readonly raw: Readonly<Record<string, unknown>>
}

export class Logins {
  readonly #roles = new Map<string, LoginRole>()
  /** `<mount>/<role>` → the one token text that login accepts. */
  readonly #accepted = new Map<string, string>()
  readonly #tokens: TokenStore

  constructor(tokens: TokenStore) {
    this.#tokens = tokens
  }

  /** Lets `jwt` log in at `mount` as `role`, with what `raw` says of the token. */
  acceptJwt(
    mount: string,
    role: string,
    jwt: string,
    raw: Readonly<Record<string, unknown>>,
  ): void {
    this.#accepted.set(`${mount}/${role}`, jwt)
    this.#roles.set(`${mount}/${role}`, { name: role, roleId: '', secretIds: new Set(), raw })
  }

  approle({ operation, data }: Exchange, path: string): Answer {
    const [name, verb] = splitOnce(path)
    const known = this.#roles.get(`approle/${name}`)
    if (verb === '' && operation !== 'read') {
      this.#roles.set(`approle/${name}`, {
        name,
        roleId: known?.roleId ?? randomUUID(),
        secretIds: known?.secretIds ?? new Set(),
        raw: data,
      })
      return noContent()
    }
    if (!known) throw new VaultRefusal(404)
    if (verb === 'role-id') return ok({ data: { role_id: known.roleId } })
    if (verb !== 'secret-id') throw new VaultRefusal(404, 'unsupported path')
    const secretId = randomUUID()
    known.secretIds.add(secretId)
    return ok({ data: { secret_id: secretId, secret_id_accessor: randomUUID() } })
  }

  login(mount: string, data: Readonly<Record<string, unknown>>): Answer {
    const role = mount === 'approle' ? this.#byRoleId(data) : this.#byJwt(mount, data)
    const token = this.#tokens.create({
      parent: undefined,
      policies: withDefault(role),
      path: `auth/${mount}/login`,
      displayName: mount,
      meta: { role_name: role.name },
      ttlSeconds: seconds(role.raw, 'token_ttl'),
      explicitMaxTtlSeconds: seconds(role.raw, 'token_max_ttl'),
      numUses: seconds(role.raw, 'token_num_uses'),
    })
    return ok({ auth: authOf(token, this.#tokens) })
  }

  #byRoleId(data: Readonly<Record<string, unknown>>): LoginRole {
    const role = [...this.#roles.values()].find(
      (candidate) => candidate.roleId !== '' && candidate.roleId === text(data, 'role_id'),
    )
    if (!role?.secretIds.has(text(data, 'secret_id') ?? '')) {
      throw new VaultRefusal(400, 'invalid role or secret ID')
    }
    return role
  }

  #byJwt(mount: string, data: Readonly<Record<string, unknown>>): LoginRole {
    const name = text(data, 'role') ?? ''
    const role = this.#roles.get(`${mount}/${name}`)
    const isJwt = mount === 'jwt'
    if (!role) {
      const why = isJwt ? `role "${name}" could not be found` : `invalid role name "${name}"`
      throw new VaultRefusal(400, why)
    }
    if (this.#accepted.get(`${mount}/${name}`) !== text(data, 'jwt')) {
      // The one verifies a signature itself, the other asks a cluster (seen on OpenBao 2.6.2).
      if (isJwt)
        throw new VaultRefusal(400, 'error validating token: error verifying token signature')
      throw new VaultRefusal(403, 'permission denied')
    }
    return role
  }
}

function withDefault(role: LoginRole): readonly string[] {
  const named = textList(role.raw, 'token_policies') ?? []
  return flag(role.raw, 'token_no_default_policy') ? named : [...named, 'default']
}
