import type { ApiClient } from '../client/http.ts'
import type { ClockSource } from '../clock.ts'
import type { Random } from '../ids.ts'
import type { OutputStream, Terminal } from './terminal.ts'

/** What a process lends to a command; `main.ts` holds the real ones. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** One line typed by a person; undefined where nobody can (not a terminal, or end of input). */
  readonly ask: (question: string) => Promise<string | undefined>
  readonly clockSource: ClockSource
  readonly random: Random
  /** Runs the broker until it is stopped; resolves to the exit code. */
  readonly serve: (order: ServeOrder) => Promise<number>
}

export interface ServeOrder {
  /** The configuration. */
  readonly file: string
  readonly acceptTime?: number
}

/** What every command gets besides its own arguments. */
export interface Context {
  readonly io: CommandIo
  readonly terminal: Terminal
  /** The broker at MAYFLY_URL, with MAYFLY_TOKEN. */
  readonly api: () => ApiClient
  readonly now: () => number
}

/** 0: done; 1: refused or failed. Usage errors (2) are thrown. */
export type ExitCode = 0 | 1

/** Runs a command's work with its context; the result is the exit code. */
export type Run = (work: (context: Context) => Promise<ExitCode> | ExitCode) => Promise<void>

/** The command was not written as it must be: exit code 2. */
export class UsageError extends Error {}
