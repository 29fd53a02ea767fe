import { globSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { parseAst } from 'vitest/node'

/** A place where a broker can be killed: just before what it waits for, and just after. */
export interface Failpoint {
  /** Readable, and the same as long as the code around it is: `broker/issue.ts deny: …refuse`. */
  readonly name: string
  readonly file: string
}

export interface Instrumented {
  readonly points: readonly Failpoint[]
  /** Sources by URL, each as it is but for the calls at its failpoints. */
  readonly sources: Readonly<Record<string, string>>
}

const ROOT = new URL('../../', import.meta.url)
/** Where something is done. */
const WHERE = [
  'src/{broker,lifecycle,store/sqlite,signing}/**/*.ts',
  'src/{serve,reloader,world,kept-key}.ts',
  'providers/**/*.ts',
]
/** What only reads and answers leaves nothing behind, wherever it is cut off. */
const READS =
  /\/check[^/]*\.ts$|inventory\.ts$|broker\/(read|explain|kept-input|simulate|shadow|test-signal|introspect|page|evaluate|act-subject)/
/** What takes effect without being waited for: commits, and files beside the database. */
const EFFECT =
  /^this\.#statements\.(begin|commit)\.run$|^(write|rename|open|chmod|mkdir|fsync|link)\w*Sync$|^migrate$/

/** Finds every await and every effect of the sources, so that a new one is a new failpoint. */
export function instrument(): Instrumented {
  const points: Failpoint[] = []
  const sources: Record<string, string> = {}
  for (const file of globSync(WHERE, { cwd: ROOT }).toSorted()) {
    if (READS.test(file)) continue
    const url = new URL(file, ROOT)
    const text = readFileSync(url, 'utf8')
    const found = placesIn(text)
    if (found.length === 0) continue
    sources[pathToFileURL(url.pathname).href] = withCalls(text, found, points.length)
    const seen = new Map<string, number>()
    for (const { within, what } of found) {
      const name = `${file.replace(/^src\//, '')} ${within}: ${what}`
      const before = seen.get(name) ?? 0
      seen.set(name, before + 1)
      points.push({ file, name: before === 0 ? name : `${name} (${before + 1})` })
    }
  }
  return { points, sources }
}

interface Place {
  readonly start: number
  readonly end: number
  readonly waits: boolean
  readonly within: string
  readonly what: string
}

function placesIn(text: string): Place[] {
  const places: Place[] = []
  const visit = (node: unknown, within: string): void => {
    if (Array.isArray(node)) for (const one of node) visit(one, within)
    if (!isNode(node)) return
    const { type, start, end } = node
    const waits = type === 'AwaitExpression'
    const called = waits ? calleeOf(node.argument) : type === 'CallExpression' ? node.callee : null
    const callee = isNode(called) ? text.slice(called.start, called.end).replace(/\s+/g, '') : ''
    if (waits || EFFECT.test(callee)) {
      places.push({ start, end, waits, within, what: callee.slice(-60) })
    }
    const name = nameOf(node) ?? within
    for (const [key, child] of Object.entries(node)) if (key !== 'type') visit(child, name)
  }
  visit(parseAst(text, { lang: 'ts' }), 'start')
  return places
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

/** `store.leases.end(…).catch(…)` is a call of `store.leases.end`. */
function calleeOf(node: unknown): Node | null {
  if (!isNode(node)) return null
  if (node.type !== 'CallExpression') return node
  const { callee } = node
  if (!isNode(callee)) return node
  const inner = callee.type === 'MemberExpression' ? callee.object : undefined
  return isNode(inner) && inner.type === 'CallExpression' ? calleeOf(inner) : callee
}

/** The name of the function that `node` is, or gives to what it holds. */
function nameOf(node: Node): string | undefined {
  const named = /^(FunctionDeclaration|MethodDefinition|VariableDeclarator|Property)$/
  const at = node.id ?? node.key
  if (!named.test(node.type) || !isNode(at) || typeof at.name !== 'string') return undefined
  const holds = node.init ?? node.value ?? node
  return isNode(holds) && /Function/.test(holds.type) ? at.name : undefined
}

/** Inserts within lines only, so that every stack tells the true line. */
function withCalls(text: string, places: readonly Place[], first: number): string {
  const inserts = places.flatMap(({ start, end, waits }, index) => {
    const id = first + index
    const open = `__failpoints.after(${id}, `
    const before = `(__failpoints.before(${id}), `
    return [
      ...(waits
        ? [
            { at: start, text: open },
            { at: start + 'await'.length, text: before },
          ]
        : [{ at: start, text: open + before }]),
      { at: end, text: '))' },
    ]
  })
  let result = text
  for (const { at, text: inserted } of inserts.toSorted((a, b) => b.at - a.at)) {
    result = result.slice(0, at) + inserted + result.slice(at)
  }
  return result
}
