/** A sandbox Vault set up as the operator page says, with the two identities Mayfly uses. */
import type { Faults } from '../../sandbox/faults.ts'
import { Ledger } from '../../sandbox/ledger.ts'
import { startVaultSandbox, type VaultSandbox } from '../../sandbox/vault/index.ts'

export const MINT_POLICY = `
path "sys/policies/acl/mf-*"        { capabilities = ["create", "update"] }
path "auth/token/create/mayfly"     { capabilities = ["update"] }
path "auth/token/roles/mayfly"      { capabilities = ["read"] }
path "auth/token/renew-accessor"    { capabilities = ["update"] }
path "sys/leases/renew"             { capabilities = ["update"] }
path "sys/mounts"                   { capabilities = ["read"] }
`

export const REVOKE_POLICY = `
path "sys/policies/acl/mf-*"        { capabilities = ["delete"] }
path "sys/policies/acl"             { capabilities = ["list"] }
path "auth/token/revoke-accessor"   { capabilities = ["update"] }
path "auth/token/lookup-accessor"   { capabilities = ["update"] }
path "auth/token/accessors/"        { capabilities = ["list", "sudo"] }
path "sys/leases/revoke"            { capabilities = ["update"] }
path "sys/leases/lookup"            { capabilities = ["update"] }
`

export interface VaultUpstream {
  readonly vault: VaultSandbox
  readonly settings: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, string>>
}

export async function startVaultUpstream(
  options: {
    now?: () => number
    revokePolicy?: string
    ledger?: Ledger
    faults?: Faults
    namespace?: string
  } = {},
): Promise<VaultUpstream> {
  const vault = await startVaultSandbox({
    ledger: options.ledger ?? new Ledger(),
    ...(options.faults ? { faults: options.faults } : {}),
    ...(options.now ? { now: options.now } : {}),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
  })
  await vault.root('POST', 'auth/token/roles/mayfly', {
    allowed_policies_glob: ['mf-*'],
    orphan: true,
    token_type: 'service',
    token_no_default_policy: true,
  })
  await vault.root('POST', 'database/config/main', { allowed_roles: ['*'] })
  await vault.root('POST', 'database/roles/readonly', { db_name: 'main', default_ttl: '1h' })
  await vault.root('POST', 'database/roles/admin', { db_name: 'main', default_ttl: '1h' })
  await vault.root('POST', 'pki/roles/leased', { generate_lease: true })
  await vault.root('POST', 'pki/roles/plain', {})
  await vault.root('POST', 'kubernetes/roles/existing', { service_account_name: 'agent' })
  await vault.root('POST', 'kubernetes/roles/generated', { kubernetes_role_name: 'reader' })
  await vault.root('POST', 'aws/roles/user', { credential_type: 'iam_user' })
  await vault.root('POST', 'aws/roles/session', { credential_type: 'assumed_role' })
  await vault.root('POST', 'ssh/roles/otp', { key_type: 'otp', default_ttl: '30s' })
  await vault.root('POST', 'ssh/roles/certificate', { key_type: 'ca' })
  await vault.root('POST', 'secret/data/tickets/4711', { data: { text: 'printer on fire' } })
  await vault.root('POST', 'secret/data/payroll/4711', { data: { text: 'none of your business' } })
  await vault.root('POST', 'sys/policies/acl/mayfly-mint', { policy: MINT_POLICY })
  await vault.root('POST', 'sys/policies/acl/mayfly-revoke', {
    policy: options.revokePolicy ?? REVOKE_POLICY,
  })
  const mint = await approle(vault, 'mayfly-mint')
  const revoke = await approle(vault, 'mayfly-revoke')
  return {
    vault,
    settings: {
      type: 'vault',
      address: vault.address,
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
      auth: { method: 'approle', role_id: mint.roleId, secret_id: 'env:VAULT_MINT' },
      revoke_auth: { method: 'approle', role_id: revoke.roleId, secret_id: 'env:VAULT_REVOKE' },
      mounts: { secret: 'kv', kv: 'kv' },
    },
    secrets: { 'env:VAULT_MINT': mint.secretId, 'env:VAULT_REVOKE': revoke.secretId },
  }
}

async function approle(vault: VaultSandbox, name: string) {
  await vault.root('POST', `auth/approle/role/${name}`, { token_policies: [name], token_ttl: '1h' })
  const role = await vault.root('GET', `auth/approle/role/${name}/role-id`)
  const secret = await vault.root('POST', `auth/approle/role/${name}/secret-id`)
  return { roleId: String(role.data?.role_id), secretId: String(secret.data?.secret_id) }
}

/** The status Vault gives whoever holds `token`. */
export async function statusAs(
  vault: { address: string },
  token: string,
  call: { method?: string; path: string; body?: unknown },
): Promise<number> {
  const response = await fetch(`${vault.address}/v1/${call.path}`, {
    method: call.method ?? 'GET',
    headers: { 'x-vault-token': token },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  })
  await response.text()
  return response.status
}
