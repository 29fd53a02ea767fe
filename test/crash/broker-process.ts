import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const HOOK = new URL('failpoint-hook.ts', import.meta.url).href
/** A start that takes longer than this is a failure in itself; machines that run tests are slow. */
export const READY_BOUND_MS = 60_000
const STOP_BOUND_MS = 25_000

/** Exactly the process an operator would run: `mayfly serve`, with only its secrets around it. */
export class BrokerProcess {
  readonly startedAt = performance.now()
  readonly pid: number
  /** Whether it has ended, by itself or not. */
  over = false
  readonly #child: ChildProcess
  readonly #log: WriteStream
  readonly #exited: Promise<void>
  #url: string | undefined
  #output = ''

  constructor(options: {
    dir: string
    env: Readonly<Record<string, string>>
    /** The file of a plan by which it kills itself. */
    failpoints?: string
  }) {
    const { dir, env, failpoints } = options
    this.#log = createWriteStream(join(dir, 'broker.log'), { flags: 'a' })
    const hook = failpoints === undefined ? [] : ['--import', HOOK]
    const told = failpoints === undefined ? {} : { MAYFLY_FAILPOINTS: failpoints }
    this.#child = spawn(
      process.execPath,
      [...hook, MAIN, 'serve', '-c', join(dir, 'mayfly.yaml')],
      {
        env: { PATH: '/usr/bin:/bin', HOME: dir, ...told, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    this.pid = this.#child.pid ?? -1
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => this.#take(chunk))
    }
    const killWithParent = () => this.#child.kill('SIGKILL')
    process.on('exit', killWithParent)
    this.#exited = new Promise((resolve) => {
      this.#child.once('close', () => {
        this.over = true
        process.off('exit', killWithParent)
        this.#log.end(resolve)
      })
    })
  }

  /** Where it listens, once `/readyz` says yes; fails if that takes too long. */
  async ready(): Promise<string> {
    const deadline = this.startedAt + READY_BOUND_MS
    while (performance.now() < deadline) {
      if (this.over) throw new Error(`the broker ended instead of starting:\n${this.lastWords()}`)
      if (this.#url !== undefined) {
        const answer = await fetch(`${this.#url}/readyz`).catch(() => undefined)
        await answer?.text()
        if (answer?.ok) return this.#url
      }
      await sleep(5)
    }
    await this.kill()
    throw new Error(`the broker was not ready within ${READY_BOUND_MS} ms:\n${this.lastWords()}`)
  }

  /** As if the machine took it away. Returns when the process is gone and its log is on disk. */
  async kill(): Promise<void> {
    this.killNow()
    await this.#exited
  }

  /** Sends the signal before anything else of this process can run. */
  killNow(): void {
    this.#child.kill('SIGKILL')
  }

  /** As an operator would; returns the exit code, or that it killed itself or had to be. */
  async stop(): Promise<number | 'killed' | 'late'> {
    this.#child.kill('SIGTERM')
    const late = AbortSignal.timeout(STOP_BOUND_MS)
    late.addEventListener('abort', () => this.#child.kill('SIGKILL'))
    await this.#exited
    return late.aborted ? 'late' : (this.#child.exitCode ?? 'killed')
  }

  /** Whether it was killed, by itself or another; false: it runs, or ended otherwise. */
  get killed(): boolean {
    return this.#child.signalCode === 'SIGKILL'
  }

  lastWords(): string {
    return this.#output.split('\n').slice(-15).join('\n')
  }

  #take(chunk: Buffer): void {
    this.#log.write(chunk)
    this.#output = `${this.#output}${chunk.toString()}`.slice(-20_000)
    this.#url ??= /"url":"(http[^"]+)"[^\n]*"mayfly is ready"/.exec(this.#output)?.[1]
  }
}
