import { answered, type LoadParts } from './load-parts.ts'

export const EVENTS_AUDIENCE = 'https://mayfly.example/ssf'
const REVOKED = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'

/** The issuer of an agent's evidence tells that its session is revoked (CAEP 1.0, RFC 8935). */
export async function revokeSession(parts: LoadParts, agent: string): Promise<void> {
  const { url, upstreams, memory } = parts
  const { issuer } = upstreams
  const sentAt = Date.now()
  const iat = Math.floor(sentAt / 1_000)
  const claims = {
    ...{ iss: issuer.url, aud: EVENTS_AUDIENCE, iat, jti: `set-${memory.answers}-${sentAt}` },
    sub_id: { format: 'iss_sub', iss: issuer.url, sub: agent },
    events: { [REVOKED]: {} },
  }
  const token = await issuer.sign(claims, { header: { typ: 'secevent+jwt' } })
  const answer = await fetch(`${url}/v1/ssf/idp`, {
    method: 'POST',
    body: token,
    headers: { 'content-type': 'application/secevent+jwt' },
  }).catch(() => undefined)
  const text = await answer?.text().catch(() => undefined)
  if (text === undefined) return
  if (answer?.status !== 202) throw new Error(`a security event was answered ${text}`)
  const ordered = answered(parts, sentAt)
  const selector = { workload: `corp/${agent}` }
  memory.kills.push({ id: undefined, by: 'signal', selector, ordered, blockedUntil: undefined })
  memory.acknowledge()
}
