/**
 * A tool gateway: agents call tools through it, and before each call it asks Mayfly whether the task
 * may do that now (OpenID AuthZEN 1.0). It needs nothing but Node.
 *
 *   MAYFLY_URL=http://127.0.0.1:8700 MAYFLY_TOKEN=mfg_… node deploy/examples/tool-gateway/gateway.ts
 *   curl http://127.0.0.1:8800/tools/delete-mail -H "authorization: Bearer $TASK_TOKEN" \
 *     -d '{"ticket": "4711", "mail": "1.txt"}'
 *
 * What to keep when you write your own: every way in which the question can fail is a no; the tool
 * itself says what it does, in the words of the task's intent, and the agent's arguments cannot
 * change those words; the task token is hashed at once and goes nowhere else.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

export type Arguments = Readonly<Record<string, string>>

export interface Tool {
  /** What a call does, as an action on a resource of an intent. */
  readonly does: (given: Arguments) => {
    readonly action: string
    readonly resource: { readonly type: string; readonly id: string }
  }
  readonly run: (given: Arguments) => Promise<unknown>
}

export interface Mayfly {
  readonly url: string
  /** The gateway's own token, `mfg_…`. */
  readonly token: string
  readonly fetch?: typeof fetch
}

/** Tools over a mailbox of tickets; yours would call the real thing. */
const MAILBOX = new Map([['4711/1.txt', 'the printer smokes']])
const mail = ({ ticket, mail }: Arguments) => `${ticket}/${mail}`
const onMail = (action: string) => (given: Arguments) => ({
  action,
  resource: { type: 'aws', id: `arn:aws:s3:::tickets/${mail(given)}` },
})
const TOOLS: Readonly<Record<string, Tool>> = {
  'read-mail': { does: onMail('s3:GetObject'), run: async (given) => MAILBOX.get(mail(given)) },
  'delete-mail': {
    does: onMail('s3:DeleteObject'),
    run: async (given) => MAILBOX.delete(mail(given)),
  },
}

if (import.meta.main) {
  const { MAYFLY_URL: url = 'http://127.0.0.1:8700', MAYFLY_TOKEN: token = '' } = process.env
  toolGateway({ mayfly: { url, token }, tools: TOOLS }).listen(8800, '127.0.0.1')
}

/** `POST /tools/NAME` with the task's token: asks, and runs the tool only after a yes. */
export function toolGateway(parts: {
  readonly mayfly: Mayfly
  readonly tools: Readonly<Record<string, Tool>>
}): Server {
  const { mayfly, tools } = parts
  return createServer((request, response) => {
    call(request).then(
      ([status, body]) => answer(response, status, body),
      () => answer(response, 500, { error: 'the call failed' }),
    )
  })

  async function call(request: IncomingMessage): Promise<[number, object]> {
    const [, name = ''] = /^\/tools\/([a-z-]+)$/.exec(request.url ?? '') ?? []
    const tool = Object.hasOwn(tools, name) ? tools[name] : undefined
    if (!tool || request.method !== 'POST') return [404, { error: 'no such tool' }]
    const [, taskToken] = /^Bearer (mft_[\w-]+)$/.exec(request.headers.authorization ?? '') ?? []
    if (taskToken === undefined) return [401, { error: 'show the token of your task' }]
    const given = argumentsOf(await bodyOf(request))
    if (!given) return [400, { error: 'the arguments must be plain names' }]
    const verdict = await mayDo(mayfly, taskToken, tool.does(given))
    if (!verdict.allowed) return [403, { error: 'not now', because: verdict.because }]
    return [200, { result: (await tool.run(given)) ?? null }]
  }
}

/** Only a clear yes is one: an error, a late answer and anything else are a no. */
async function mayDo(
  { url, token, fetch: ask = fetch }: Mayfly,
  taskToken: string,
  { action, resource }: ReturnType<Tool['does']>,
): Promise<{ readonly allowed: boolean; readonly because?: unknown }> {
  const id = createHash('sha256').update(taskToken).digest('hex')
  try {
    const response = await ask(`${url}/access/v1/evaluation`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        subject: { type: 'task_token', id },
        action: { name: action },
        resource,
      }),
      redirect: 'error',
      signal: AbortSignal.timeout(2_000),
    })
    const said: unknown = await response.json()
    if (!response.ok || typeof said !== 'object' || said === null) return { allowed: false }
    if ('decision' in said && said.decision === true) return { allowed: true }
    return { allowed: false, because: 'context' in said ? said.context : undefined }
  } catch {
    return { allowed: false }
  }
}

/** Nothing in an argument may lead out of the place that the tool names with it. */
function argumentsOf(text: string): Arguments | undefined {
  try {
    const given: unknown = JSON.parse(text)
    const entries = Object.entries(Object(given)).flatMap(([name, value]): [string, string][] =>
      typeof value === 'string' && /^\w[\w.-]{0,63}$/.test(value) ? [[name, value]] : [],
    )
    return entries.length === Object.keys(Object(given)).length
      ? Object.fromEntries(entries)
      : undefined
  } catch {
    return undefined
  }
}

const MAX_BODY = 4_096

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of request) {
    text += String(part)
    if (text.length > MAX_BODY) return ''
  }
  return text
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
