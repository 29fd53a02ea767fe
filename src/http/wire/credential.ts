import { z } from '@hono/zod-openapi'
import { withoutUndefined } from '../../model/optional.ts'
import type { CredentialWire } from '../../model/wire.ts'

const EXAMPLE_END = '2026-01-01T12:05:00.000Z'
const EXAMPLES: CredentialWire[] = [
  {
    type: 'aws',
    access_key_id: 'ASIA…',
    secret_access_key: '…',
    session_token: '…',
    region: 'eu-west-1',
    expires_at: EXAMPLE_END,
  },
  { type: 'vault', address: 'https://vault.example.com', token: 'hvs.…', expires_at: EXAMPLE_END },
  {
    type: 'vault',
    address: 'https://vault.example.com',
    data: { username: 'v-…', password: '…' },
    expires_at: EXAMPLE_END,
  },
  {
    type: 'gcp',
    access_token: 'ya29.…',
    service_account: 'agent-1@example.iam.gserviceaccount.com',
    expires_at: EXAMPLE_END,
  },
  { type: 'jwt', access_token: 'eyJ…', token_type: 'DPoP', expires_at: EXAMPLE_END },
]

/** Its other fields depend on `type` (DESIGN §8): those of CredentialWire. */
export const credentialAnswer = withoutUndefined<CredentialWire>(
  z.looseObject({ type: z.string(), expires_at: z.iso.datetime() }).openapi('Credential', {
    description: 'The secret part: sent once, in this answer alone. Its fields depend on `type`.',
    examples: EXAMPLES,
  }),
)
