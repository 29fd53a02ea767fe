import { createReadStream, openSync, readFileSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { ChainVerifier, parseAnchor } from '../audit/verify.ts'
import type { ApiClient } from '../client/http.ts'
import { everyItem } from '../client/pages.ts'
import type { AuditEventWire } from '../model/wire.ts'
import { type Context, type ExitCode, UsageError } from './command.ts'
import { safe } from './terminal.ts'

const PAGE = 500
const MAX_SHOWN = 20

/**
 * `audit verify`: recomputes the chain from the API or from an export, event by event. Beyond the
 * chain itself it checks that the log reaches the head the broker names, and every anchored head.
 */
export async function verifyAudit(
  { api, terminal }: Context,
  { anchor, file }: { anchor?: string; file?: string },
): Promise<ExitCode> {
  const anchored = anchor === undefined ? undefined : readAnchor(anchor)
  const verifier = new ChainVerifier(anchored)
  const head = file === undefined ? await api().auditHead() : undefined
  for await (const event of file === undefined ? events(api(), { full: 'true' }) : exported(file))
    verifier.add(event)
  const result = verifier.result()
  const short = head !== undefined && result.events < head.seq
  const problems = [
    ...result.problems,
    ...(short ? [`the log ends at event ${result.events}, its head is event ${head.seq}`] : []),
  ]
  const report = { ...result, ok: problems.length === 0, problems }
  if (terminal.json) {
    terminal.answer(report)
    return report.ok ? 0 : 1
  }
  for (const problem of problems.slice(0, MAX_SHOWN)) terminal.line(safe(problem))
  if (problems.length > MAX_SHOWN) terminal.line(`and ${problems.length - MAX_SHOWN} more`)
  const verdict = report.ok ? terminal.paint('green', 'intact') : terminal.paint('red', 'BROKEN')
  terminal.line(`${verdict}: ${report.events} events, head ${safe(report.head)}`)
  if (report.anchored !== undefined) terminal.line(`${report.anchored} anchored heads found`)
  terminal.line(report.meaning)
  if (anchored === undefined) terminal.note('give --anchor FILE, the audit.anchor of the broker')
  return report.ok ? 0 : 1
}

/** `audit export`: one event a line, to a new file only its owner can read, or to stdout. */
export async function exportAudit(
  { api, io, terminal }: Context,
  out: string | undefined,
): Promise<ExitCode> {
  const file = out === undefined ? undefined : newFile(out)
  let count = 0
  for await (const event of events(api())) {
    const line = `${JSON.stringify(event)}\n`
    if (file === undefined) io.stdout.write(line)
    else writeSync(file, line)
    count += 1
  }
  terminal.note(`${count} events`)
  return 0
}

function events(api: ApiClient, extent: { full?: 'true' } = {}): AsyncGenerator<AuditEventWire> {
  return everyItem((cursor) =>
    api.audit({ ...extent, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) }),
  )
}

/** Lines of an export; one that is no event is a damaged export, not a verdict about the chain. */
async function* exported(file: string): AsyncGenerator<AuditEventWire> {
  let number = 0
  let any = false
  for await (const line of linesOf(file)) {
    number += 1
    if (line === '') continue
    any = true
    const event = eventIn(line)
    if (!event) throw new UsageError(`${file}: line ${number} is not an exported event`)
    yield event
  }
  // A log begins with the start of its broker: what is empty was lost, not kept whole.
  if (!any)
    throw new UsageError(`${file} holds no events: export it again with mayfly audit export`)
}

async function* linesOf(file: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: createReadStream(file) })
  } catch (error) {
    throw new UsageError(`--file ${file} cannot be read: ${wordsOf(error)}`)
  }
}

/** With what a chain is made of; the verifier recomputes every other field it relies on. */
function eventIn(line: string): AuditEventWire | undefined {
  try {
    const event = JSON.parse(line) as Partial<AuditEventWire> | null // checked field by field below
    const { seq, prev, hash } = event ?? {}
    const linked = Number.isInteger(seq) && typeof prev === 'string' && typeof hash === 'string'
    return linked ? (event as AuditEventWire) : undefined
  } catch {
    return undefined
  }
}

function newFile(path: string): number {
  try {
    return openSync(path, 'wx', 0o600)
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    const why = exists ? 'is there already and stays as it is: name a new file' : wordsOf(error)
    throw new UsageError(`--out ${path} ${why}`)
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Also as the configuration writes it, `file:PATH`. */
function readAnchor(anchor: string) {
  const file = anchor.replace(/^file:/, '')
  try {
    return parseAnchor(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`--anchor ${file} cannot be used: ${wordsOf(error)}`)
  }
}
