import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mayfly } from './cli/run-mayfly.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (name: string) => readFileSync(join(ROOT, name), 'utf8')
const readme = read('README.md')
const PAGES = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)]

describe('the README', () => {
  it('has every room and every file at the top of the sources in its map, and none twice', () => {
    const map = readme.slice(readme.indexOf('## The house'), readme.indexOf('### The walk'))
    for (const name of readdirSync(join(ROOT, 'src'))) expect(map).toContain(`\`src/${name}\``)
    const rows = map.split('\n').flatMap((line) => line.match(/^\| (`.*?) \|/)?.[1] ?? [])
    expect(rows.toSorted()).toEqual([...new Set(rows)].toSorted())
  })

  it('names no file that is not there', () => {
    const named = [...readme.matchAll(/`((?:src|providers|test|deploy|docs)\/[\w./-]+)`/g)]
    expect(named.length).toBeGreaterThan(40)
    for (const [, path = ''] of named) expect(existsSync(join(ROOT, path)), path).toBe(true)
  })

  it('lists for whoever is on call what their own page lists', () => {
    expect(onCall('docs/on-call.md')).toBe(onCall('README.md'))
  })
})

describe.each(PAGES)('%s', (page) => {
  it('leads to pages and parts of pages that are there', () => {
    for (const [, path = '', part] of read(page).matchAll(/\]\(([^)#:]*)(?:#([^)]+))?\)/g)) {
      const target = path === '' ? page : join(page, '..', path)
      expect(existsSync(join(ROOT, target)), `${page} → ${target}`).toBe(true)
      if (part !== undefined)
        expect(partsOf(read(target)), `${page} → ${path}#${part}`).toContain(part)
    }
  })

  it('names only commands that there are', async () => {
    if (page === 'README.md') expect(commandsIn(readme).length).toBeGreaterThan(20)
    for (const words of commandsIn(read(page))) {
      const { code, stdout } = await mayfly([...words, '--help'], {})
      const usage = `Usage: mayfly ${words.join(' ')}`
      expect([code, stdout.slice(0, usage.length)], `${page}: ${words.join(' ')}`).toEqual([
        0,
        usage,
      ])
    }
  })
})

/** The block of commands. */
function onCall(page: string): string {
  return /On call\n[^`]*```\n([\s\S]+?)```/.exec(read(page))?.[1] ?? page
}

/** As GitHub names a heading in an address. */
function partsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** The words that name a command, in code spans and blocks: `mayfly leases ls`, `mayfly endings ls|retry`. */
function commandsIn(text: string): string[][] {
  const spans = [...text.matchAll(/```[\s\S]+?```|`[^`\n]+`/g)].map(([span]) => span)
  const calls = spans.flatMap((span) => [
    ...span.matchAll(/(?:^|[\n`·] ?)mayfly ([a-z]+)(?: ([a-z|]+)\b)?/g),
  ])
  const named = calls.flatMap(([, command = '', sub]) =>
    sub === undefined ? [command] : sub.split('|').map((one) => `${command} ${one}`),
  )
  return [...new Set(named)].map((words) => words.split(' '))
}
