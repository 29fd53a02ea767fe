/** The closed-loop driver, a process of its own: jobs come by IPC, figures go back the same way. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { Connection } from './connection.ts'
import { instant, type Job, type Measured } from './job.ts'
import { killInStorm, killMany } from './kill-jobs.ts'
import {
  CREDENTIAL,
  expect,
  issue,
  LEASES_PER_TASK,
  openTask,
  pick,
  post,
  type Task,
} from './requests.ts'

const END = JSON.stringify({ outcome: 'completed' })
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
    case 'kill':
      return await killMany(job)
    case 'storm':
      return await killInStorm(job)
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
