import { vault as definition } from '../../../providers/vault/index.ts'
import type { CredentialFields, Minted } from '../../../src/provider.ts'
import { Secret } from '../../../src/secret.ts'
import { type ContractSetup, providerContract } from '../../provider-contract.ts'
import { startVaultUpstream, statusAs } from './upstream.ts'

providerContract('vault, kind token', async (): Promise<ContractSetup> => {
  const { vault, settings, secrets } = await startVaultUpstream()
  const readsTicket = (minted: Minted, path: string) =>
    statusAs(vault, revealed(minted.credential, 'token'), { path })
  return {
    definition,
    settings,
    secrets,
    target: { kind: 'token' },
    intent: [{ type: 'vault', actions: ['read'], locations: ['secret/data/tickets/*'] }],
    inexpressible: [
      { why: 'it could give itself more', intent: [item(['update'], 'auth/token/create')] },
      { why: 'it would create a lease', intent: [item(['read'], 'database/creds/readonly')] },
      { why: 'any mount could be meant', intent: [item(['read'], '+/data/tickets/1')] },
      { why: 'there is no such capability', intent: [item(['sudo'], 'secret/data/x')] },
      { why: 'a policy could be injected', intent: [item(['read'], 'secret/data/"} path "*')] },
      { why: 'vault would fill it in', intent: [item(['read'], 'secret/data/{{identity.x}}')] },
      { why: 'nothing is asked', intent: [] },
    ],
    ttlSeconds: 60,
    useInside: async (minted) => (await readsTicket(minted, 'secret/data/tickets/4711')) === 200,
    useOutside: async (minted) => (await readsTicket(minted, 'secret/data/payroll/4711')) === 200,
    ledger: vault.ledger,
    faults: vault.faults,
    mintOperation: 'POST auth/token/create',
    refusal: { kind: 'fail', status: 403, code: 'permission denied' },
    endOperations: ['DELETE sys/policies/acl', 'POST auth/token/revoke-accessor'],
    settle: () => vault.settle(),
    ownSecrets: [vault.rootToken],
    close: () => vault.close(),
  }
})

providerContract('vault, kind dynamic', async (): Promise<ContractSetup> => {
  const { vault, settings, secrets } = await startVaultUpstream()
  const logsIn = ({ credential }: Minted) =>
    vault.database.login(revealed(credential, 'username'), revealed(credential, 'password'))
  return {
    definition,
    settings,
    secrets,
    target: { kind: 'dynamic', engine: 'database', path: 'database/creds/readonly' },
    intent: [item(['read'], 'database/creds/readonly')],
    inexpressible: [
      { why: 'another role', intent: [item(['read'], 'database/creds/admin')] },
      { why: 'any role', intent: [item(['read'], 'database/creds/*')] },
      { why: 'more than reading', intent: [item(['read', 'update'], 'database/creds/readonly')] },
      { why: 'nothing is asked', intent: [] },
    ],
    ttlSeconds: 60,
    useInside: async (minted) => logsIn(minted),
    // The agent holds no token at all: the secret is its only way in.
    useOutside: async (minted) =>
      'token' in minted.credential ||
      vault.database.login('admin', revealed(minted.credential, 'password')),
    ledger: vault.ledger,
    faults: vault.faults,
    mintOperation: 'GET database/creds',
    refusal: { kind: 'fail', status: 403, code: 'permission denied' },
    refusalOperation: 'POST auth/token/create',
    endOperations: ['DELETE sys/policies/acl', 'POST sys/leases/revoke'],
    settle: () => vault.settle(),
    ownSecrets: [vault.rootToken],
    close: () => vault.close(),
  }
})

function item(actions: string[], location: string) {
  return { type: 'vault', actions, locations: [location] }
}

/** A field of the credential, wherever it sits, as its holder sees it. */
function revealed(fields: CredentialFields, name: string): string {
  for (const [key, value] of Object.entries(fields)) {
    if (key === name) return value instanceof Secret ? value.reveal() : String(value)
    if (typeof value === 'object' && !(value instanceof Secret)) {
      const inner = revealed(value, name)
      if (inner !== '') return inner
    }
  }
  return ''
}
