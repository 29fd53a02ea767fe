import { apiClient } from '../../src/client/http.ts'
import type { Acknowledged, Memory } from './memory.ts'
import type { Seeded } from './seeded.ts'
import { TENANTS, type Upstreams } from './upstreams.ts'

export const AGENTS = Array.from({ length: 6 }, (_, n) => ({
  id: `worker-${n}`,
  tenant: TENANTS[n % TENANTS.length] ?? 'red',
}))

/** What whoever puts load on one life of the broker needs. */
export interface LoadParts {
  readonly url: string
  readonly round: number
  readonly dir: string
  readonly pid: number
  readonly upstreams: Upstreams
  readonly memory: Memory
  readonly seeded: Seeded
  readonly operatorToken: string
}

export function apiWith({ url }: LoadParts, token: string | undefined) {
  return apiClient({ url, timeoutMs: 15_000, ...(token === undefined ? {} : { token }) })
}

export function answered({ round }: LoadParts, sentAt: number): Acknowledged {
  return { round, sentAt, at: Date.now() }
}

/** The evidence with which this agent opens tasks. */
export async function evidenceOf({ upstreams, memory }: LoadParts, agent: string): Promise<string> {
  const { issuer } = upstreams
  const iat = Math.floor(Date.now() / 1_000)
  const claims = { iss: issuer.url, aud: 'mayfly', sub: agent, iat, exp: iat + 600 }
  const evidence = await issuer.sign(claims)
  memory.secrets.push(evidence)
  return evidence
}
