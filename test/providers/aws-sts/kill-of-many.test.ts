import { expect, test } from 'vitest'
import type { Opened } from '../../fixture/http.ts'
import type { UpstreamHouse } from '../../fixture/upstream-house.ts'
import type { AwsSandbox } from '../../sandbox/aws/index.ts'
import { awsHouse, readTicket, TICKET } from './aws-house.ts'
import { ROLE } from './bench.ts'

const LEASES = 1_000
/** So many ask at once. */
const ASKERS = 20
/** As many are tried by the client agents have; of all of them the upstream says whether they work. */
const TRIED = 100
const HOME = 'us-east-1'
const FAR = 'eu-west-1'
const ROLE_CHARACTERS = 10_240
const INTENT = [{ ...TICKET, identifier: 'real' }]
/** Issued longest ago, with a minute between: nothing is in doubt. */
const MINUTE = 60_000

type Credential = Record<string, string>

test('P8: a kill of 1,000 leases of one agent on one role is one statement, is proved, and no other agent feels it', async () => {
  const { house, sandbox, ledger } = await office()
  const [killed, spared] = [await house.open({ intent: INTENT }), await other(house)]
  const doomed = await issue(house, killed, LEASES)
  const [kept = {}] = await issue(house, spared, 1)
  await house.pass(MINUTE)
  expect(await works(sandbox, [...doomed.slice(0, 20), kept])).toEqual({ ok: 21 })

  const order = { selector: { agent: 'summariser' }, reason: 'it reads too much' }
  const { body } = await house.as('responder', 'POST /v1/kills', order)
  expect(body.kill.counts).toMatchObject({ leases: LEASES })
  const progress = async () =>
    (await house.as('responder', `GET /v1/kills/${body.kill.id}`)).body.progress
  for (let tries = 0; tries < 100 && (await progress()).enforced < LEASES; tries += 1) {
    await house.pass(500)
  }
  expect(await progress()).toMatchObject({ proved: 0, enforced: LEASES, expired: 0 })
  const documents = Object.values(sandbox.rolePolicies(ROLE)).join('')
  expect(documents.length).toBeLessThanOrEqual(ROLE_CHARACTERS)
  expect(documents).toContain('"aws:PrincipalTag/mayfly-agent":"summariser"')

  for (let tries = 0; tries < 200 && (await progress()).proved < LEASES; tries += 1) {
    await house.pass(500)
  }
  expect(await progress()).toMatchObject({ proved: LEASES, remaining: 0 })
  expect(sandbox.calls('PutRolePolicy')).toBeLessThan(10)
  expect(await works(sandbox, doomed.slice(-TRIED))).toEqual({ AccessDenied: TRIED })
  expect(await works(sandbox, [kept])).toEqual({ ok: 1 })
  const probes = /^mf-(canary|control)-/
  expect(ledger.working().filter(({ name = '' }) => !probes.test(name))).toHaveLength(1)

  // The other agent goes on: what is refused together takes none of the role's places.
  const [more = {}] = await issue(house, spared, 1)
  expect(await works(sandbox, [more])).toEqual({ ok: 1 })
  // Nothing was mistaken for drift.
  const { body: compared } = await house.as('admin', 'POST /v1/reconcile', { provider: 'real' })
  expect(compared.items[0].findings).toEqual([])
}, 300_000)

/** A role for two agents, of which one may hold this many: their ordinary ends may run out. */
function office() {
  return awsHouse({
    allowed: ['s3:*', 'sts:GetAccessKeyInfo'],
    proof: [HOME, FAR],
    change: (document) => {
      document.entitlements.at(-1).revocability = 'expiry'
      document.limits = {
        active_leases_per_task: LEASES,
        active_leases_per_agent: LEASES,
        issues_per_minute_per_agent: 10 * LEASES,
      }
      const match = { issuer: 'corp', claims: { sub: 'reader' } }
      document.agents.push({ ...document.agents[0], id: 'reader', match })
    },
  })
}

function other(house: UpstreamHouse): Promise<Opened> {
  return house.open({ intent: INTENT }, { sub: 'reader' })
}

async function issue(house: UpstreamHouse, task: Opened, count: number): Promise<Credential[]> {
  const credentials: Credential[] = []
  const asker = async () => {
    for (let n = 0; n < count / Math.min(count, ASKERS); n += 1) {
      const { status, text, body } = await house.ask(task)
      if (status !== 201) throw new Error(text)
      credentials.push(body.credential)
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, ASKERS) }, asker))
  return credentials
}

/** Reads the ticket with each; how often what came of it. */
async function works(sandbox: AwsSandbox, credentials: readonly Credential[]) {
  const answers: Record<string, number> = {}
  for (const credential of credentials) {
    const answer = await readTicket(sandbox, credential)
    answers[answer] = (answers[answer] ?? 0) + 1
  }
  return answers
}
