import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Failpoint, instrument } from './instrument.ts'

export type Side = 'before' | 'after'

/** One place and side at which a broker dies, the n-th time it gets there. */
export interface KillAt {
  readonly id: number
  readonly side: Side
  readonly nth: number
  /** If that does not come: after this one, the first time. */
  readonly orAfter?: number
  /** Or at the first of these that it gets to, at the same side. */
  readonly orAt?: readonly number[]
}

/** What a broker is told through a file. */
export interface FailpointPlan {
  /** Where the instrumented sources are. */
  readonly sources: string
  /** Where it writes what it reaches, each the first time. */
  readonly hits: string
  /** Where it writes at which it died. */
  readonly died: string
  readonly kill: KillAt | undefined
  /** The call that upgrades the database, and the number each statement within it goes by. */
  readonly upgrade: { readonly within: number; readonly statement: number }
}

/** The failpoints of these sources, and which of them a run has reached so far. */
export class Failpoints {
  readonly points: readonly Failpoint[]
  readonly #dir: string

  constructor(dir: string) {
    const { points, sources } = instrument()
    this.points = points
    this.#dir = dir
    writeFileSync(this.#path('sources'), JSON.stringify(sources))
  }

  /** The call that upgrades the database. */
  get migrate(): number {
    return this.points.findIndex(({ name }) => name.endsWith(': migrate'))
  }

  /** Each statement of an upgrade, counted together. */
  get statements(): number {
    return this.points.length
  }

  /** Writes the plan of the next life; returns its file. */
  plan(kill: KillAt | undefined): string {
    rmSync(this.#path('died'), { force: true })
    const plan = {
      sources: this.#path('sources'),
      hits: this.#path('hits'),
      died: this.#path('died'),
      kill,
      upgrade: { within: this.migrate, statement: this.statements },
    }
    writeFileSync(this.#path('plan'), JSON.stringify(plan satisfies FailpointPlan))
    return this.#path('plan')
  }

  /** The numbers of those any life has reached. */
  reached(): readonly number[] {
    if (!existsSync(this.#path('hits'))) return []
    const lines = readFileSync(this.#path('hits'), 'utf8').split('\n')
    return [...new Set(lines)].filter((line) => line !== '').map(Number)
  }

  /** At which the last life died; undefined: not at any. */
  died(): number | undefined {
    const path = this.#path('died')
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : undefined
  }

  #path(what: string): string {
    return join(this.#dir, `failpoints-${what}.json`)
  }
}
