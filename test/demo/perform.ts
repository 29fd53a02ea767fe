import { randomBytes } from 'node:crypto'
import { BREAKS } from './breaks.ts'
import { nothingYet } from './report.ts'
import { Stage } from './stage.ts'
import { invitation } from './stay.ts'
import { delegationStory, type Played, playStory, STEPS, type Step } from './story.ts'
import { SILENT, type Timeline, timeline } from './timeline.ts'
import { startWorld, type World } from './world.ts'

export interface Options {
  readonly json: boolean
  readonly stay: boolean
  /** Plays the tree of 49 agents instead. */
  readonly delegation: boolean
  /** Names of `BREAKS`. */
  readonly breaks: readonly string[]
}

/** start everything → play → (stay) → stop everything; resolves to the exit code. */
export async function perform(options: Options): Promise<number> {
  const { stdout, stderr, env } = process
  const print = stdout.write.bind(stdout)
  // Whatever a library says there would spoil the document.
  if (options.json) stdout.write = stderr.write.bind(stderr)
  const startedAt = performance.now()
  const shown = options.json ? SILENT : timeline({ stdout, stderr, env }, startedAt)
  for (const line of PROGRAMME) shown.say(line)
  const played = await play(options, shown)
  const { report, failure } = played
  if (options.json) print(`${JSON.stringify(report, null, 2)}\n`)
  if (failure && options.json) stderr.write(`demo: ${failure.message}\n`)
  return report.ok ? 0 : 1
}

const PROGRAMME = [
  'Mayfly: what a task may do, from its opening to the death of its last credential. The broker,',
  'the issuer and the clients of AWS, Vault and Google are real; the clouds are sandboxes here.',
]

async function play({ stay, breaks, delegation }: Options, shown: Timeline): Promise<Played> {
  const startedAt = performance.now()
  const running: { world?: World; staying?: true } = {}
  stopOnSignal(running)
  const { steps, tree } = delegation ? delegationStory() : { steps: STEPS, tree: undefined }
  const outcome = await playIn(running, { breaks, shown, steps }).catch((error) =>
    nothingHappened(error, steps),
  )
  const report = { ...outcome.report, ...(tree?.report && { tree: tree.report }) }
  const played = { ...outcome, report }
  conclude(shown, played, performance.now() - startedAt)
  if (stay && running.world) {
    running.staying = true
    for (const line of ['', ...invitation(running.world)]) shown.say(line)
    await new Promise(() => {}) // until a signal
  }
  await running.world?.close()
  return played
}

async function playIn(
  running: { world?: World },
  { breaks, shown, steps }: { breaks: readonly string[]; shown: Timeline; steps: readonly Step[] },
): Promise<Played> {
  const world = await startWorld({ random: (bytes) => randomBytes(bytes) })
  running.world = world
  for (const name of breaks) BREAKS[name]?.(world.upstreams)
  return await playStory(new Stage(world, shown), steps)
}

/** Ctrl-C stops everything as the end would; a second one does not wait. */
function stopOnSignal(running: { readonly world?: World; readonly staying?: true }): void {
  for (const [signal, interrupted] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      const code = running.staying ? 0 : interrupted
      process.once(signal, () => process.exit(interrupted))
      void Promise.resolve(running.world?.close()).finally(() => process.exit(code))
    })
  }
}

function nothingHappened(error: unknown, story: readonly Step[]): Played {
  const failure = error instanceof Error ? error : new Error(String(error))
  const steps = story.map(({ name }) => ({ name, ok: false, ms: 0 }))
  const audit = { events: 0, verified: false }
  return { report: { ok: false, steps, providers: nothingYet(), audit }, failure }
}

function conclude(shown: Timeline, { report, failure }: Played, ms: number): void {
  const done = report.steps.filter(({ ok }) => ok).length
  const text = `${done} of ${report.steps.length} steps in ${(ms / 1_000).toFixed(1)} s`
  if (failure) shown.event('failed', failure.message, 'bad')
  shown.say()
  shown.say(failure ? `${text}: the demo failed.` : `${text}; every promise shown was kept.`)
}
