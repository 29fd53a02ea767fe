import { setTimeout as sleep } from 'node:timers/promises'
import { gcp } from '../../../providers/gcp/index.ts'
import { providerContract } from '../../provider-contract.ts'
import {
  MINT_TOKEN,
  POOL,
  REVOKE_TOKEN,
  read,
  SECRETS,
  settingsFor,
  startSandbox,
  storageWith,
  tokenOf,
  VIEW_TICKETS,
} from './fixture.ts'

providerContract('gcp with a pool', async () => {
  const { sandbox, ledger } = await startSandbox()
  return {
    definition: gcp,
    settings: settingsFor(sandbox),
    secrets: SECRETS,
    target: { service_accounts: POOL },
    intent: VIEW_TICKETS,
    inexpressible: [
      {
        why: 'another service cannot be narrowed',
        intent: [
          {
            type: 'gcp',
            actions: ['pubsub.topics.publish'],
            locations: ['//pubsub.googleapis.com/projects/acme-agents/topics/t'],
          },
        ],
      },
      {
        why: 'a boundary names roles only',
        intent: [
          { type: 'gcp', actions: ['storage.objects.delete'], locations: ['gs://tickets/4711/*'] },
        ],
      },
      {
        why: 'more than ten rules',
        intent: [
          {
            type: 'gcp',
            actions: ['inRole:roles/storage.objectViewer'],
            locations: Array.from({ length: 11 }, (_, n) => `gs://tickets/${n}/*`),
          },
        ],
      },
    ],
    ttlSeconds: 300,
    useInside: async (minted) =>
      (await read(storageWith(tokenOf(minted), sandbox), 'tickets', '4711/mail.txt')) !== undefined,
    useOutside: async (minted) =>
      (await read(storageWith(tokenOf(minted), sandbox), 'tickets', '4712/mail.txt')) !== undefined,
    ledger,
    faults: sandbox.faults,
    mintOperation: 'generateAccessToken',
    refusal: { kind: 'fail', status: 403 },
    endOperations: ['disable', 'getServiceAccount'],
    settle: () => sleep(sandbox.propagationMs + 20),
    ownSecrets: [MINT_TOKEN, REVOKE_TOKEN],
    close: () => sandbox.close(),
  }
})
