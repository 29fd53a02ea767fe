/** What the driver does to see how fast kills are, as an operator would see it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from './connection.ts'
import { type Doomed, instant, type KillJob, type Measured, type StormJob } from './job.ts'
import { expect, issue, LEASES_PER_TASK, openTask, pick } from './requests.ts'

const CONNECTIONS = 16
const LEASES_OF_A_DOOMED = 5
/** Issued so much slower than this, a storm would begin before its last lease is there. */
const ISSUED_PER_SECOND = 400
const LOOK_EVERY_MS = 2
const GIVE_UP_MS = 60_000

/** One kill of an agent with many live leases. */
export async function killMany({ url, operator, doomed, leases }: KillJob): Promise<Measured> {
  await issueMany({ url, leases, evidence: [doomed.evidence] })
  await sleep(200)
  const connection = await Connection.open(url)
  const { acknowledged, ended } = await kill(connection, { operator, doomed, leases })
  connection.close()
  return { requests: 1, seconds: 0, latencies: [ended], acknowledged: [acknowledged], sentAt: {} }
}

/** Kills one after the other, while everything else expires at once. */
export async function killInStorm(job: StormJob): Promise<Measured> {
  const { url, operator, doomed, leases, evidence } = job
  for (const { evidence: one } of doomed) {
    await issueMany({ url, leases: LEASES_OF_A_DOOMED, evidence: [one] })
  }
  const at = instant() + (leases / ISSUED_PER_SECOND) * 1_000 + 5_000
  await issueMany({ url, leases, evidence, expiresAt: at })
  const left = at - instant()
  if (left < 0) throw new Error('the storm began before it was ready')
  await sleep(left)
  const connection = await Connection.open(url)
  const began = instant()
  const kills: { acknowledged: number; ended: number }[] = []
  for (const one of doomed) {
    const order = { operator, doomed: one, leases: LEASES_OF_A_DOOMED }
    kills.push(await kill(connection, order))
  }
  connection.close()
  const ascending = (a: number, b: number) => a - b
  return {
    requests: kills.length,
    seconds: (instant() - began) / 1_000,
    latencies: kills.map(({ ended }) => ended).toSorted(ascending),
    acknowledged: kills.map(({ acknowledged }) => acknowledged).toSorted(ascending),
    sentAt: {},
  }
}

/** Milliseconds until the order was acknowledged, and until every lease of it was seen to have ended. */
async function kill(
  connection: Connection,
  { operator, doomed, leases }: { operator: string; doomed: Doomed; leases: number },
): Promise<{ acknowledged: number; ended: number }> {
  const headers = { authorization: `Bearer ${operator}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ selector: { agent: doomed.agent }, reason: 'measured' })
  const began = instant()
  const reply = await connection.send({ method: 'POST', path: '/v1/kills', headers, body })
  const acknowledged = instant() - began
  expect(202, reply)
  const { id, counts } = (JSON.parse(reply.body) as { kill: KillSeen }).kill // wire.ts
  if (counts.leases !== leases) throw new Error(`${counts.leases} of ${leases} leases were killed`)
  for (;;) {
    const look = await connection.send({
      method: 'GET',
      path: `/v1/kills/${id}`,
      headers,
      body: '',
    })
    expect(200, look)
    const { progress } = JSON.parse(look.body) as KillSeen // wire.ts
    const ended = instant() - began
    if (progress.proved === leases) return { acknowledged, ended }
    if (ended > GIVE_UP_MS) throw new Error(`not ended in time: ${look.body}`)
    await sleep(LOOK_EVERY_MS)
  }
}

interface KillSeen {
  readonly id: string
  readonly counts: { readonly leases: number }
  readonly progress: { readonly proved: number }
}

/** Leases of these agents, all of the default lifetime, or all until one instant. */
async function issueMany(order: {
  url: string
  leases: number
  evidence: readonly string[]
  expiresAt?: number
}): Promise<void> {
  const { url, leases, evidence, expiresAt } = order
  let left = leases
  let turn = 0
  const bodyNow = () => {
    if (expiresAt === undefined) return undefined
    const ttl_seconds = Math.max(1, Math.round((expiresAt - instant()) / 1_000))
    return JSON.stringify({ entitlement: 'things', ttl_seconds })
  }
  const loops = Array.from({ length: Math.min(CONNECTIONS, leases) }, async () => {
    const connection = await Connection.open(url)
    while (left > 0) {
      const task = await openTask(connection, pick(evidence, turn++))
      for (let n = 0; n < LEASES_PER_TASK && left > 0; n += 1) {
        left -= 1
        await issue(connection, task, bodyNow())
      }
    }
    connection.close()
  })
  await Promise.all(loops)
}
