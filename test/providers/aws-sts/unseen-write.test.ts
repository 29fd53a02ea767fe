import { describe, expect, it } from 'vitest'
import type { RolePolicies } from '../../../providers/aws-sts/role-policies.ts'
import { UnseenWrite } from '../../../providers/aws-sts/unseen-write.ts'
import { steadyClock } from '../../../src/clock.ts'
import { ManualTime } from '../../fixture/time.ts'
import { addRole, awsHouse, TICKET } from './aws-house.ts'

const SECOND = 1_000

async function house() {
  const { house: one, ...upstream } = await awsHouse({
    change: (document, sandbox) => {
      const target = { role_arn: addRole(sandbox, 'agent-other', ['s3:*']) }
      document.entitlements.push({ ...document.entitlements.at(-1), id: 'other', target })
    },
  })
  const lend = async (entitlement: string) => {
    const task = await one.open({ intent: [{ ...TICKET, identifier: entitlement }] })
    const { status, body } = await one.issue(task, { entitlement })
    return { task, answer: status === 201 ? 'minted' : body.code, lease: body.lease?.id }
  }
  const shown = async (lease: string) => (await one.as('admin', `GET /v1/leases/${lease}`)).body
  const problem = async () => {
    const { items } = (await one.as('admin', 'GET /v1/providers')).body
    return items.find(({ id, name = id }: { id?: string; name?: string }) => name === 'real')
  }
  return { ...upstream, one, lend, shown, problem }
}

describe('an IAM that answers 200 without writing', () => {
  it('P17: is found out within about a minute, and nothing is minted there until it writes', async () => {
    const { one, ledger, faults, lend, shown, problem } = await house()
    const { task, lease } = await lend('real')
    faults.plan('PutRolePolicy', { kind: 'lie' })
    await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
    await one.until(lease, 'enforced')
    await one.pass(60 * SECOND)
    // No longer than it takes: what goes on to fail there closes the whole provider to mints.
    const said = async () => (await one.as('admin', 'GET /v1/endings')).body.items[0]?.last_error
    for (let n = 0; n < 20 && !(await said())?.includes('does not hold it'); n += 1)
      await one.pass(SECOND)
    expect(await said()).toContain('does not hold it')
    expect(await shown(lease)).toMatchObject({ state: 'ending', containment: 'unknown' })
    expect(ledger.working()).toHaveLength(1)
    expect((await lend('real')).answer).toBe('not_revocable_now')
    expect((await lend('other')).answer).toBe('not_revocable_now')
    expect(JSON.stringify(await problem())).toContain('does not hold it')
    expect((await one.call('GET /metrics')).text).toMatch(
      /^mayfly_containment_lost_total\{provider="real"\} [12]$/m,
    )

    faults.clear()
    await one.until(lease, 'enforced')
    await one.pass(15 * SECOND)
    expect(ledger.working()).toEqual([])
    expect((await lend('real')).answer).toBe('minted')
    expect(JSON.stringify(await problem())).not.toContain('does not hold it')
  }, 60_000)

  it('P17: is asked again also when nothing there is left to be ended', async () => {
    const { one, ledger, faults, lend, shown } = await house()
    const { task, lease } = await lend('real')
    faults.plan('PutRolePolicy', { kind: 'lie' })
    await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
    await one.pass(25 * 60 * SECOND)
    expect(await shown(lease)).toMatchObject({ state: 'ended', containment: 'expired' })
    expect(ledger.working()).toEqual([])
    expect((await lend('real')).answer).toBe('not_revocable_now')
    faults.clear()
    await one.pass(15 * SECOND)
    expect((await lend('real')).answer).toBe('minted')
  }, 120_000)

  it('P17: is asked again also when its last answer never came', async () => {
    const { one, faults, lend, shown } = await house()
    const { task, lease } = await lend('real')
    faults.plan('PutRolePolicy', { kind: 'lie' })
    await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
    await one.pass(80 * SECOND)
    faults.clear()
    faults.plan('PutRolePolicy', { kind: 'fail', status: 500 })
    await one.pass(25 * 60 * SECOND)
    expect(await shown(lease)).toMatchObject({ state: 'ended', containment: 'expired' })
    expect((await lend('real')).answer).toBe('not_revocable_now')
    faults.clear()
    await one.pass(60 * SECOND)
    expect((await lend('real')).answer).toBe('minted')
  }, 120_000)

  it('P6: what is asked again undoes nothing when it lands late', async () => {
    const { one, ledger, faults, lend } = await house()
    const first = await lend('real')
    faults.plan('PutRolePolicy', { kind: 'lie' })
    await one.call(`POST /v1/leases/${first.lease}/end`, { token: first.task.token, body: {} })
    await one.pass(25 * 60 * SECOND)
    faults.clear()
    let land = () => {}
    faults.wait = () => new Promise<void>((resolve) => (land = resolve))
    faults.plan('PutRolePolicy', { kind: 'stray', ms: 0 }, 1)
    await one.pass(90 * SECOND)
    const second = await lend('real')
    expect(second.answer).toBe('minted')
    await one.call(`POST /v1/leases/${second.lease}/end`, { token: second.task.token, body: {} })
    await one.until(second.lease, 'enforced')
    land()
    await one.pass(10 * SECOND)
    expect(ledger.working()).toEqual([])
  }, 120_000)

  it('costs one read where it does write', async () => {
    const { one, sandbox, lend } = await house()
    const { task, lease } = await lend('real')
    const before = sandbox.calls('GetRolePolicy')
    await one.call(`POST /v1/leases/${lease}/end`, { token: task.token, body: {} })
    await one.until(lease, 'enforced')
    const written = sandbox.calls('GetRolePolicy')
    await one.pass(50 * SECOND)
    expect(sandbox.calls('PutRolePolicy')).toBe(1)
    expect(sandbox.calls('GetRolePolicy') - written).toBe(1)
    expect(written).toBeGreaterThanOrEqual(before)
  })
})

describe('what IAM shows of a document', () => {
  /** An IAM whose answers to reads are what a test says. */
  function iam() {
    const time = new ManualTime()
    const shows: { text: string | undefined } = { text: undefined }
    const policies = {
      read: async (name: string) => (shows.text === undefined ? undefined : { name, ...shows }),
      put: async () => {},
    } as unknown as RolePolicies // nothing else of it is asked
    const unseen = new UnseenWrite(steadyClock(time, 0), policies)
    const { signal } = new AbortController()
    const write = async (text: string) => {
      unseen.offered(text)
      await unseen.accepted({ name: 'mayfly-acme-0-e1', text }, signal)
    }
    return { time, shows, unseen, signal, write }
  }

  it('may be old for a while: a stale read is no finding', async () => {
    const { time, shows, unseen, signal, write } = iam()
    await write('first')
    await time.advance(40 * SECOND)
    await unseen.look(signal)
    shows.text = 'first'
    await time.advance(4 * SECOND)
    await unseen.look(signal)
    await time.advance(60 * SECOND)
    await unseen.look(signal)
    expect(unseen.doubt).toBeUndefined()
  })

  it('may always lag behind a role that is written all the time', async () => {
    const { time, shows, unseen, signal, write } = iam()
    for (let n = 0; n < 100; n += 1) {
      await write(`version ${n}`)
      shows.text = n < 5 ? undefined : `version ${n - 5}`
      await time.advance(2 * SECOND)
      await unseen.look(signal)
    }
    expect(unseen.doubt).toBeUndefined()
  })

  it('P17: is in doubt after that, and until a write is seen', async () => {
    const { time, shows, unseen, signal, write } = iam()
    shows.text = 'before'
    await write('first')
    await time.advance(30 * SECOND)
    await write('second')
    await time.advance(30 * SECOND)
    await unseen.look(signal)
    expect(unseen.doubt).toContain('does not hold it')
    await expect(write('third')).rejects.toMatchObject({ outcome: 'unknown' })
    shows.text = 'fourth'
    await write('fourth')
    expect(unseen.doubt).toBeUndefined()
  })
})
