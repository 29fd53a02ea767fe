import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

/** Rooms by height: an import may only go to a room further down, or stay in its own. */
const HEIGHT: Record<string, number> = {
  main: 100,
  serve: 90,
  reloader: 85,
  cli: 88,
  'load-config': 84,
  'providers-list': 82,
  world: 80,
  readiness: 80,
  'kept-key': 80,
  listen: 84,
  tls: 82,
  handshakes: 80,
  http: 70,
  lifecycle: 70,
  client: 66,
  broker: 60,
  config: 55,
  policy: 50,
  intent: 50,
  identity: 50,
  signals: 50,
  store: 50,
  signing: 50,
  providers: 50,
  provider: 45,
  audit: 40,
  model: 30,
  small: 10,
}
const SMALL = ['errors', 'ids', 'random', 'clock', 'secret', 'duration']

/** What a room must not know although it lies further down. */
const FORBIDDEN: [from: string, to: string, why: string][] = [
  ['policy', 'store', 'policies decide on plain data'],
  ['store', 'policy', 'the store knows no rules'],
  ['store', 'intent', 'the store knows no rules'],
  ['store', 'provider', 'the store knows no upstream'],
  ['providers', 'store', 'a provider knows only its contract'],
  ['providers', 'audit', 'a provider knows only its contract'],
  ['providers', 'policy', 'a provider knows only its contract'],
  ['providers', 'config', 'a provider knows only its contract'],
  ['client', 'broker', 'clients speak HTTP'],
  ['client', 'store', 'clients speak HTTP'],
  ['client', 'config', 'clients speak HTTP'],
]

interface Edge {
  readonly from: string
  readonly to: string
}

const edges = sources().flatMap((file) => importsOf(file))

describe('the house', () => {
  test('every import goes down or stays in its room', () => {
    const upward = edges.filter(({ from, to }) => {
      const [a, b] = [roomOf(from), roomOf(to)]
      return a !== b && height(a) <= height(b)
    })
    expect(upward.map(show)).toEqual([])
  })

  test('rooms that must not know each other do not', () => {
    const met = edges.filter(({ from, to }) =>
      FORBIDDEN.some(([a, b]) => roomOf(from) === a && roomOf(to) === b),
    )
    expect(met.map(show)).toEqual([])
  })

  test('there is no cycle between files', () => {
    expect(cycles(edges)).toEqual([])
  })

  test('only main.ts reads the environment, the real clock and real randomness', () => {
    const reads =
      /process\.env|Date\.now\(|new Date\(\)|performance\.now\(|Math\.random\(|randomBytes\(|randomUUID\(/
    const guilty = sources().filter(
      (file) =>
        !/src\/main\.ts$/.test(file) && reads.test(withoutComments(readFileSync(file, 'utf8'))),
    )
    expect(guilty.map((file) => relative(ROOT, file))).toEqual([])
  })

  test('drizzle stays inside the store', () => {
    const guilty = sources().filter(
      (file) =>
        !file.includes('/src/store/') &&
        /from 'drizzle-orm|better-sqlite3'/.test(readFileSync(file, 'utf8')),
    )
    expect(guilty).toEqual([])
  })

  test('nothing is called utils, helpers, common, types, services or managers', () => {
    const vague = /\/(utils?|helpers?|common|types|services?|managers?)(\/|\.ts$)/
    expect(sources().filter((file) => vague.test(file))).toEqual([])
  })
})

function sources(): string[] {
  return ['src', 'providers'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(ROOT, folder, name)),
  )
}

function importsOf(file: string): Edge[] {
  const text = withoutComments(readFileSync(file, 'utf8'))
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, target]) => ({
    from: file,
    to: join(dirname(file), target ?? ''),
  }))
}

function roomOf(file: string): string {
  const [top, second = '', third] = relative(ROOT, file).split('/')
  if (top === 'providers') return third === undefined ? 'providers-list' : 'providers'
  const name = second.replace(/\.ts$/, '')
  return SMALL.includes(name) ? 'small' : name
}

function height(room: string): number {
  const found = HEIGHT[room]
  if (found === undefined) throw new Error(`room "${room}" has no height in this test`)
  return found
}

function cycles(all: readonly Edge[]): string[] {
  const next = Map.groupBy(all, ({ from }) => from)
  const state = new Map<string, 'open' | 'done'>()
  const found: string[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      found.push(
        [...trail.slice(trail.indexOf(file)), file].map((f) => relative(ROOT, f)).join(' → '),
      )
      return
    }
    state.set(file, 'open')
    for (const { to } of next.get(file) ?? []) visit(to, [...trail, file])
    state.set(file, 'done')
  }
  for (const { from } of all) visit(from, [])
  return found
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}

function show({ from, to }: Edge): string {
  return `${relative(ROOT, from)} → ${relative(ROOT, to)}`
}
