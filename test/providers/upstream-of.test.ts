import { expect, it } from 'vitest'
import { awsSts } from '../../providers/aws-sts/index.ts'
import { gcp } from '../../providers/gcp/index.ts'
import { vault } from '../../providers/vault/index.ts'
import type { AnyProviderDefinition } from '../../src/provider.ts'

const VAULT = {
  type: 'vault',
  address: 'https://vault.example.com:8200',
  auth: { method: 'token', token: 'env:TOKEN' },
}
const AWS = { type: 'aws-sts', region: 'eu-west-1' }
const emulator = 'http://127.0.0.1:4566'

function upstreamOf(definition: AnyProviderDefinition, settings: object): string {
  return definition.upstreamOf(definition.settings.parse(settings))
}

it.each([
  ['Vault at another address', vault, VAULT, { ...VAULT, address: 'https://other.example.com' }],
  ['another namespace', vault, VAULT, { ...VAULT, namespace: 'agents' }],
  ['an emulator of IAM', awsSts, AWS, { ...AWS, endpoints: { iam: emulator } }],
  ['an emulator of Google', gcp, { type: 'gcp' }, { type: 'gcp', endpoints: { iam: emulator } }],
])('P6: %s is another upstream', (_what, definition, before, after) => {
  expect(upstreamOf(definition, after)).not.toBe(upstreamOf(definition, before))
})

it.each([
  ['a slash', vault, VAULT, { ...VAULT, address: `${VAULT.address}/` }],
  ['who asks', vault, VAULT, { ...VAULT, auth: { method: 'token', token: 'env:OTHER' } }],
  ['the region', awsSts, AWS, { ...AWS, region: 'us-east-1' }],
  ['an endpoint named', awsSts, AWS, { ...AWS, endpoints: { iam: 'https://iam.amazonaws.com/' } }],
  ['who asks', gcp, { type: 'gcp' }, { type: 'gcp', credentials: { access_token: 'env:TOKEN' } }],
])('%s makes no other upstream', (_what, definition, before, after) => {
  expect(upstreamOf(definition, after)).toBe(upstreamOf(definition, before))
})

it('P2: a name or password in an address is not part of it', () => {
  const settings = { ...AWS, endpoints: { iam: 'https://user:canary@iam.example.com' } }
  expect(upstreamOf(awsSts, settings)).toBe('https://iam.example.com')
})
