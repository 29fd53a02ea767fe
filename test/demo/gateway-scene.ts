import type { AddressInfo } from 'node:net'
import { type Arguments, toolGateway } from '../../deploy/examples/tool-gateway/gateway.ts'
import { INTENT, PURGE, SOURCE } from './configuration.ts'
import { signed } from './end-scenes.ts'
import { KeyHolder } from './key-holder.ts'
import { demand, type Stage } from './stage.ts'
import { BUCKET } from './upstreams.ts'

/** A tool gateway lets a task delete, until the risk of the task rises: then it may still read. */
export async function askBeforeEachCall(stage: Stage): Promise<void> {
  const { timeline, world } = stage
  const agent = await KeyHolder.at(world.url)
  const intent = [PURGE, ...INTENT.filter(({ identifier }) => identifier === 'tickets-s3')]
  const opening = { purpose: 'tidy up ticket 4711', intent, ttl_seconds: 120 }
  const { task, token } = await agent.as(await world.issuer.evidence()).openTask(opening)
  const gateway = await ticketTools(stage)
  try {
    const call = (tool: string, mail: string) => callTool(gateway.url, token, { tool, mail })
    demand((await call('delete-mail', '1.txt')).status === 200, 'it may not delete what it said')
    timeline.event('gateway', 'delete-mail 1.txt: Mayfly says yes, it is gone')

    const reason = 'its prompts look odd'
    const alarm = { subject: { task: task.id }, level: 'MEDIUM', action: 'risk', reason }
    const body = JSON.stringify({ ...alarm, ttl_seconds: 60 })
    const headers = signed(world.configuration.siemSecret, body)
    await world.as('').sendSignal({ source: SOURCE, body, headers })
    timeline.event('signal', `"${SOURCE}" puts ${task.id} at MEDIUM: ${reason}`)

    const refused = await call('delete-mail', '2.txt')
    demand(refused.status === 403 && gateway.mails.has('2.txt'), 'it was deleted all the same')
    timeline.event('gateway', `delete-mail 2.txt: ${refused.status}, nothing was deleted`, 'good')
    timeline.detail('', JSON.stringify(refused.because))
    demand((await call('read-mail', '2.txt')).status === 200, 'it may not even read')
    timeline.event('gateway', 'read-mail 2.txt: goes on')
  } finally {
    gateway.close()
  }
  await agent.as(token).endTask(task.id, 'completed')
}

/** The gateway of `deploy/examples`, over two mails. */
async function ticketTools({ world }: Stage) {
  const mails = new Map([1, 2].map((n) => [`${n}.txt`, `mail ${n} of ticket 4711`]))
  const on = (action: string) => (given: Arguments) => ({
    action,
    resource: { type: 'aws', id: `arn:aws:s3:::${BUCKET}/4711/${given.mail}` },
  })
  const server = toolGateway({
    mayfly: { url: world.url, token: world.configuration.gatewayToken },
    tools: {
      'read-mail': { does: on('s3:GetObject'), run: async ({ mail = '' }) => mails.get(mail) },
      'delete-mail': {
        does: on('s3:DeleteObject'),
        run: async ({ mail = '' }) => mails.delete(mail),
      },
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // of a listener on TCP
  return { url: `http://127.0.0.1:${port}`, mails, close: () => void server.close() }
}

async function callTool(url: string, token: string, call: { tool: string; mail: string }) {
  const response = await fetch(`${url}/tools/${call.tool}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, connection: 'close' },
    body: JSON.stringify({ mail: call.mail }),
  })
  const { because }: { because?: unknown } = Object(await response.json())
  return { status: response.status, because }
}
