import type { AnyProviderDefinition } from '../src/provider.ts'

/**
 * Every provider type Mayfly knows, by the `type` in its settings. Imported only when configured:
 * the upstreams' own libraries are slow to load.
 */
export const providerTypes: Readonly<Record<string, () => Promise<AnyProviderDefinition>>> = {
  'aws-sts': async () => (await import('./aws-sts/index.ts')).awsSts,
  vault: async () => (await import('./vault/index.ts')).vault,
  jwt: async () => (await import('./jwt/index.ts')).jwt,
  gcp: async () => (await import('./gcp/index.ts')).gcp,
}
