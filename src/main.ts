#!/usr/bin/env node
/** The `mayfly` executable: the only reader of the environment, the real clock and randomness. */
import type { ClockSource } from './clock.ts'

const LEAST_NODE = 24
/** The longest a timer can wait; Node fires longer ones at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

const clockSource: ClockSource = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run) => {
    let timer: NodeJS.Timeout
    const wait = (left: number) => {
      const step = Math.min(left, MAX_TIMER_MS)
      timer = setTimeout(() => (left > step ? wait(left - step) : run()), step)
    }
    wait(ms)
    return () => clearTimeout(timer)
  },
}

// Before anything else is loaded: an older Node fails on the rest with words nobody understands.
if (Number.parseInt(process.versions.node, 10) < LEAST_NODE) {
  process.stderr.write(
    `mayfly needs Node ${LEAST_NODE} or newer, and this is Node ${process.versions.node}: ` +
      'install it from nodejs.org, or put another node first in PATH\n',
  )
  process.exitCode = 1
} else {
  // With these set, upstream libraries print tokens.
  delete process.env.DEBUG
  delete process.env.GOOGLE_SDK_NODE_LOGGING
  // Arguments may name agents and tenants; whoever lists processes need not know them.
  process.title = 'mayfly'
  process.exitCode = await run(process.argv.slice(2))
}

async function run(argv: readonly string[]): Promise<number> {
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  const { randomBytes } = await import('node:crypto')
  const { pooled } = await import('./random.ts')
  const { runCli } = await import('./cli/program.ts')
  const { env, stdout, stderr } = process
  const real = { env, clockSource, random: pooled(randomBytes) }
  return runCli(argv, {
    ...real,
    stdout,
    stderr,
    ask,
    serve: (order) => serve({ ...real, ...order }),
  })
}

type ServeOptions = Parameters<typeof import('./serve.ts').serve>[0]

/** Serves until SIGINT or SIGTERM; a second one does not wait. SIGHUP reloads. */
async function serve(options: Omit<ServeOptions, 'logTo'>): Promise<number> {
  let reload = () => {}
  process.on('SIGHUP', () => reload()) // by default it would end the process
  const { serve: start } = await import('./serve.ts')
  const { reloadOnHangup } = await import('./cli/hangup.ts')
  const served = await start({ ...options, logTo: process.stdout })
  reload = reloadOnHangup(served.reload, process.stderr)
  await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve)
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
  await served.stop()
  return 0
}

/** A line from a person at this terminal; undefined where there is none. */
async function ask(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  const { createInterface } = await import('node:readline/promises')
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await reader.question(question)
  } finally {
    reader.close()
  }
}
