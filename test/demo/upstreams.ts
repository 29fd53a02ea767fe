import { type AwsSandbox, startAwsSandbox } from '../sandbox/aws/index.ts'
import {
  type GcpSandbox,
  MINT_PERMISSIONS,
  REVOKE_PERMISSIONS,
  startGcpSandbox,
} from '../sandbox/gcp/index.ts'
import { Ledger } from '../sandbox/ledger.ts'
import { startVaultSandbox, type VaultSandbox } from '../sandbox/vault/index.ts'

/** What an upstream's change takes to bite, and the little the demo waits instead. */
export const PROPAGATION = {
  aws: { typicalMs: 4_000, demoMs: 400 },
  vault: { typicalMs: 0, demoMs: 0 },
  gcp: { typicalMs: 120_000, demoMs: 800 },
} as const

export const INSTALLATION = 'demo'
export const BUCKET = 'support-tickets'
export const PHOTOS = 'ticket-photos'
export const POOL = [1, 2, 3, 4].map((n) => `agent-${n}@acme-demo.iam.gserviceaccount.com`)

/** The three clouds of the demo, with what is in them and who may what. */
export interface Upstreams {
  readonly ledger: Ledger
  readonly aws: AwsSandbox & { readonly roleArn: string }
  readonly vault: VaultSandbox & { readonly mint: AppRole; readonly revoke: AppRole }
  readonly gcp: GcpSandbox & { readonly mintToken: string; readonly revokeToken: string }
  close(): Promise<void>
}

export interface AppRole {
  readonly roleId: string
  readonly secretId: string
}

/** Starts the sandboxes on free loopback ports and fills them; closes all if one fails. */
export async function startUpstreams(): Promise<Upstreams> {
  await using started = new AsyncDisposableStack()
  const ledger = new Ledger()
  const aws = started.adopt(await startAws(ledger), (one) => one.close())
  const vault = started.adopt(await startVault(ledger), (one) => one.close())
  const gcp = started.adopt(await startGcp(ledger), (one) => one.close())
  const running = started.move()
  return { ledger, aws, vault, gcp, close: () => running.disposeAsync() }
}

/** One bucket of tickets, and a role that could do anything with it. */
async function startAws(ledger: Ledger): Promise<Upstreams['aws']> {
  const sandbox = await startAwsSandbox({ ledger, propagationMs: PROPAGATION.aws.demoMs })
  sandbox.putBucket(BUCKET)
  sandbox.putObject(BUCKET, '4711/mail.txt', 'The printer is on fire.')
  sandbox.putObject(BUCKET, '4711/draft.txt', 'We are on our way. Sincer')
  sandbox.putObject(BUCKET, '4712/mail.txt', 'My salary is wrong.')
  const permissions = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }],
  }
  const { arn } = sandbox.addRole({
    name: 'agent-tickets',
    externalId: `${INSTALLATION}:support`,
    policies: { permissions },
  })
  return { ...sandbox, roleArn: arn }
}

/** A database with two tables of which the role `tickets-readonly` may read one, and some notes. */
async function startVault(ledger: Ledger): Promise<Upstreams['vault']> {
  const sandbox = await startVaultSandbox({ ledger })
  const { database, root } = sandbox
  database.tables.set('tickets', ['4711  printer on fire  third floor'])
  database.tables.set('customers', ['Ada  12 Card Street'])
  await root('POST', 'database/config/support', { allowed_roles: ['tickets-readonly'] })
  await root('POST', 'database/roles/tickets-readonly', {
    db_name: 'support',
    default_ttl: '1h',
    creation_statements: [
      `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'`,
      'GRANT SELECT ON tickets TO "{{name}}"',
    ],
  })
  await root('POST', 'secret/data/runbooks/printer', { data: { text: 'call the fire brigade' } })
  await root('POST', 'secret/data/payroll/accounts', { data: { text: 'nobody’s business' } })
  await root('POST', 'auth/token/roles/mayfly', {
    allowed_policies_glob: ['mf-*'],
    orphan: true,
    token_type: 'service',
    token_no_default_policy: true,
  })
  const mint = await appRole(sandbox, 'mayfly-mint', MINT_POLICY)
  const revoke = await appRole(sandbox, 'mayfly-revoke', REVOKE_POLICY)
  return { ...sandbox, mint, revoke }
}

async function appRole({ root }: VaultSandbox, name: string, policy: string): Promise<AppRole> {
  await root('POST', `sys/policies/acl/${name}`, { policy })
  await root('POST', `auth/approle/role/${name}`, { token_policies: [name], token_ttl: '1h' })
  const role = await root('GET', `auth/approle/role/${name}/role-id`)
  const secret = await root('POST', `auth/approle/role/${name}/secret-id`)
  return { roleId: String(role.data?.role_id), secretId: String(secret.data?.secret_id) }
}

/** What `providers/vault/README.md` tells operators to give the identity that mints. */
const MINT_POLICY = `
path "sys/policies/acl/mf-*"        { capabilities = ["create", "update"] }
path "auth/token/create/mayfly"     { capabilities = ["update"] }
path "auth/token/roles/mayfly"      { capabilities = ["read"] }
path "auth/token/renew-accessor"    { capabilities = ["update"] }
path "sys/leases/renew"             { capabilities = ["update"] }
path "sys/mounts"                   { capabilities = ["read"] }
`

/** And the one that ends. */
const REVOKE_POLICY = `
path "sys/policies/acl/mf-*"        { capabilities = ["delete"] }
path "sys/policies/acl"             { capabilities = ["list"] }
path "auth/token/revoke-accessor"   { capabilities = ["update"] }
path "auth/token/lookup-accessor"   { capabilities = ["update"] }
path "auth/token/accessors/"        { capabilities = ["list", "sudo"] }
path "sys/leases/revoke"            { capabilities = ["update"] }
path "sys/leases/lookup"            { capabilities = ["update"] }
`

/** A bucket of photos, and four service accounts that could do anything with it. */
async function startGcp(ledger: Ledger): Promise<Upstreams['gcp']> {
  const sandbox = await startGcpSandbox({ ledger, propagationMs: PROPAGATION.gcp.demoMs })
  const [mintToken, revokeToken] = ['ya29.demo-mint', 'ya29.demo-revoke']
  for (const email of POOL) {
    sandbox.addServiceAccount(email, [{ role: 'roles/storage.admin', bucket: PHOTOS }])
  }
  sandbox.addBroker(mintToken, [{ permissions: MINT_PERMISSIONS, accounts: '*' }])
  sandbox.addBroker(revokeToken, [{ permissions: REVOKE_PERMISSIONS, accounts: POOL }])
  sandbox.putObject(PHOTOS, '4711/smoke.txt', 'a photo of smoke')
  sandbox.putObject(PHOTOS, '4712/slip.txt', 'a photo of a salary slip')
  return { ...sandbox, mintToken, revokeToken }
}
