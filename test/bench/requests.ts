/** The requests of a bench, as an agent or an operator sends them. */
import type { Connection, Reply } from './connection.ts'

const INTENT = [
  { type: 'noop', identifier: 'things', actions: ['read'], locations: ['/things/4711'] },
]
export const CREDENTIAL = JSON.stringify({ entitlement: 'things' })
const TASK = JSON.stringify({ purpose: 'to be measured', intent: INTENT })
/** Leases a task gets before the next one is used, well below what it may have. */
export const LEASES_PER_TASK = 15

export interface Task {
  readonly id: string
  readonly token: string
}

export async function openTask(connection: Connection, evidence: string): Promise<Task> {
  const reply = await post(connection, { path: '/v1/tasks', bearer: evidence, body: TASK })
  expect(201, reply)
  const { task, token } = JSON.parse(reply.body) as { task: { id: string }; token: string } // wire.ts
  return { id: task.id, token }
}

/** Returns the upstream name of the new lease. */
export async function issue(
  connection: Connection,
  { id, token }: Task,
  body = CREDENTIAL,
): Promise<string> {
  const path = `/v1/tasks/${id}/credentials`
  const reply = await post(connection, { path, bearer: token, body })
  expect(201, reply)
  return /"upstream_name":"([^"]+)"/.exec(reply.body)?.[1] ?? raise('a lease without a name')
}

export function post(
  connection: Connection,
  { path, bearer, body }: { path: string; bearer: string; body: string },
): Promise<Reply> {
  const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }
  return connection.send({ method: 'POST', path, headers, body })
}

export function expect(status: number, reply: Reply): void {
  if (reply.status !== status) throw new Error(`expected ${status}: ${reply.status} ${reply.body}`)
}

export function pick(from: readonly string[], at: number): string {
  return from[at % from.length] ?? raise('no evidence')
}

function raise(message: string): never {
  throw new Error(message)
}
