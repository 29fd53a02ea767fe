import { Webhook } from 'standardwebhooks'
import { ApiError } from '../client/api-error.ts'
import { secretResolver } from '../config/secret-source.ts'
import { parseDuration } from '../duration.ts'
import { SELECTOR_FIELDS } from '../model/selector.ts'
import type { SignalWire } from '../model/wire.ts'
import { type Context, type ExitCode, UsageError } from './command.ts'
import { plural } from './plural.ts'
import { safe } from './terminal.ts'

export interface SignalFlags {
  readonly subject: Readonly<Record<string, string | boolean | undefined>>
  readonly source: string
  /** `env:NAME` or `file:PATH`; never the secret itself, which `ps` would show. */
  readonly secret: string
  readonly reason: string
  readonly level?: string
  readonly action?: string
  readonly ttl?: string
  /** The message's id: the same again has no second effect. */
  readonly id?: string
}

/** `signal send`: body → sign (Standard Webhooks) → send; for trying a source, and for scripts. */
export async function sendSignal(context: Context, flags: SignalFlags): Promise<ExitCode> {
  const { io, terminal, api } = context
  const webhook = webhookOf(context, flags.secret)
  const body = JSON.stringify(bodyOf(flags))
  const id = flags.id ?? `msg_${Buffer.from(io.random(15)).toString('hex')}`
  const at = new Date(context.now())
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': webhook.sign(id, at, body),
  }
  let answer: { signal: SignalWire }
  try {
    answer = await api().sendSignal({ source: flags.source, body, headers })
  } catch (error) {
    // No operator's token is asked for here, so what the other commands advise would mislead.
    if (!(error instanceof ApiError) || error.status !== 401) throw error
    if (terminal.json && error.problem) terminal.answer(error.problem)
    terminal.note(`mayfly: ${safe(error.message)}: check --source, --secret and this host's clock`)
    return 1
  }
  if (terminal.json) {
    terminal.answer(answer)
    return 0
  }
  const { signal } = answer
  const { action, matched } = signal
  // What a risk ends is decided after it is accepted.
  const found = `, ${plural(matched.leases, 'lease')}, ${plural(matched.tasks, 'task')}`
  const ordered = action === 'kill' || action === 'block'
  terminal.line(`accepted as ${signal.id}: ${safe(action)}${ordered ? found : ''}`)
  const effect = ordered
    ? 'mayfly kills ls, mayfly endings ls, mayfly blocks ls'
    : 'mayfly risk ls, mayfly endings ls'
  terminal.line(`  watch    ${effect}`)
  return 0
}

function webhookOf({ io }: Context, reference: string): Webhook {
  if (!/^(env|file):./.test(reference)) {
    throw new UsageError('--secret must be env:NAME or file:PATH, never the secret itself')
  }
  const secret = secretResolver(io.env, '.').resolve(reference)
  if (secret === undefined) throw new UsageError(`--secret ${reference} is empty or unreadable`)
  try {
    return new Webhook(secret.reveal())
  } catch {
    throw new UsageError(`--secret ${reference} does not hold a whsec_ secret in base64`)
  }
}

function bodyOf({ subject, level, action, reason, ttl }: SignalFlags): Record<string, unknown> {
  const named = SELECTOR_FIELDS.flatMap((field) =>
    typeof subject[field] === 'string' ? [[field, subject[field]]] : [],
  )
  if (named.length === 0) throw new UsageError('say whom it is about, for example --agent ID')
  const ttlSeconds = ttl === undefined ? undefined : parseDuration(ttl)
  if (ttl !== undefined && !ttlSeconds) throw new UsageError(`--ttl "${ttl}" is not a duration`)
  return { subject: Object.fromEntries(named), level, reason, action, ttl_seconds: ttlSeconds }
}
