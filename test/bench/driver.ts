/** The closed-loop driver, a process of its own: jobs come by IPC, figures go back the same way. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { Connection, type Reply } from './connection.ts'
import { instant, type Job, type Measured } from './job.ts'

const INTENT = [
  { type: 'noop', identifier: 'things', actions: ['read'], locations: ['/things/4711'] },
]
const CREDENTIAL = JSON.stringify({ entitlement: 'things' })
const TASK = JSON.stringify({ purpose: 'to be measured', intent: INTENT })
const END = JSON.stringify({ outcome: 'completed' })
/** Leases a task gets before the next one is used, well below what it may have. */
const LEASES_PER_TASK = 15
/** Tasks opened before the clock runs, over all connections. */
const TASKS_READY = 640

process.on('message', (job: Job) => {
  run(job).then(
    (measured) => process.send?.({ measured }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))

async function run(job: Job): Promise<Measured> {
  switch (job.kind) {
    case 'floor':
      return await closedLoop(job, async (connection, at) => async () => {
        const evidence = pick(job.evidence, at)
        expect(201, await post(connection, { path: '/', bearer: evidence, body: CREDENTIAL }))
        return 1
      })
    case 'issue':
      return await closedLoop(job, (connection, at) => issuing(connection, { job, at }))
    case 'lifecycle':
      return await closedLoop(job, async (connection, at) => {
        let turn = at
        return async () => {
          turn += job.concurrency
          const task = await openTask(connection, pick(job.evidence, turn))
          await issue(connection, task)
          const end = { path: `/v1/tasks/${task.id}/end`, bearer: task.token, body: END }
          expect(200, await post(connection, end))
          return 3
        }
      })
    case 'signal':
      return await signals(job)
  }
}

/** Opens tasks before the clock runs; only the credential requests are measured. */
async function issuing(
  connection: Connection,
  { job, at }: { job: Extract<Job, { kind: 'issue' }>; at: number },
): Promise<Step> {
  const tasks: Task[] = []
  for (let n = 0; n < TASKS_READY / job.concurrency; n += 1) {
    tasks.push(await openTask(connection, pick(job.evidence, at + n * job.concurrency)))
  }
  let issued = 0
  return async () => {
    const turn = Math.floor(issued / LEASES_PER_TASK)
    const task = tasks[turn]
    if (!task) {
      tasks.push(await openTask(connection, pick(job.evidence, at + turn * job.concurrency)))
      return 0
    }
    issued += 1
    await issue(connection, task)
    return 1
  }
}

type Step = () => Promise<number>

/** Each connection sends its next request when it has the answer to the last. */
async function closedLoop(
  job: { url: string; concurrency: number; warmUpMs: number; measureMs: number },
  prepare: (connection: Connection, at: number) => Promise<Step>,
): Promise<Measured> {
  const numbers = Array.from({ length: job.concurrency }, (_, at) => at)
  const connections = await Promise.all(numbers.map(() => Connection.open(job.url)))
  const steps = await Promise.all(connections.map((connection, at) => prepare(connection, at)))
  const latencies: number[] = []
  let requests = 0
  let measuring = false
  let over = false
  const loops = steps.map(async (step) => {
    while (!over) {
      const began = performance.now()
      const done = await step()
      if (!measuring || over || done === 0) continue
      requests += done
      latencies.push(performance.now() - began)
    }
  })
  const failed = Promise.all(loops)
  await Promise.race([sleep(job.warmUpMs), failed])
  measuring = true
  const began = performance.now()
  await Promise.race([sleep(job.measureMs), failed])
  const seconds = (performance.now() - began) / 1_000
  over = true
  await failed
  for (const connection of connections) connection.close()
  return { requests, seconds, latencies: latencies.toSorted((a, b) => a - b), sentAt: {} }
}

/** One signal after the other, each about a task with one lease. */
async function signals(job: Extract<Job, { kind: 'signal' }>): Promise<Measured> {
  const connection = await Connection.open(job.url)
  const sentAt: Record<string, number> = {}
  const latencies: number[] = []
  const webhook = new Webhook(job.secret)
  for (let n = 0; n < job.count; n += 1) {
    const task = await openTask(connection, pick(job.evidence, n))
    const name = await issue(connection, task)
    await sleep(10) // the broker is idle when the signal comes, as on most days
    const body = JSON.stringify({ subject: { task: task.id }, action: 'kill', reason: 'measured' })
    const id = `msg_${task.id}`
    const at = new Date()
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': webhook.sign(id, at, body),
    }
    const sent = instant()
    expect(202, await connection.send({ method: 'POST', path: '/v1/signals/siem', headers, body }))
    latencies.push(instant() - sent)
    sentAt[name] = sent
    await sleep(10)
  }
  connection.close()
  return { requests: job.count, seconds: 0, latencies: latencies.toSorted((a, b) => a - b), sentAt }
}

interface Task {
  readonly id: string
  readonly token: string
}

async function openTask(connection: Connection, evidence: string): Promise<Task> {
  const reply = await post(connection, { path: '/v1/tasks', bearer: evidence, body: TASK })
  expect(201, reply)
  const { task, token } = JSON.parse(reply.body) as { task: { id: string }; token: string } // wire.ts
  return { id: task.id, token }
}

/** Returns the upstream name of the new lease. */
async function issue(connection: Connection, { id, token }: Task): Promise<string> {
  const path = `/v1/tasks/${id}/credentials`
  const reply = await post(connection, { path, bearer: token, body: CREDENTIAL })
  expect(201, reply)
  return /"upstream_name":"([^"]+)"/.exec(reply.body)?.[1] ?? raise('a lease without a name')
}

function post(
  connection: Connection,
  { path, bearer, body }: { path: string; bearer: string; body: string },
): Promise<Reply> {
  const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }
  return connection.send({ method: 'POST', path, headers, body })
}

function expect(status: number, reply: Reply): void {
  if (reply.status !== status) throw new Error(`expected ${status}: ${reply.status} ${reply.body}`)
}

function pick(from: readonly string[], at: number): string {
  return from[at % from.length] ?? raise('no evidence')
}

function raise(message: string): never {
  throw new Error(message)
}
