import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Context, type ExitCode, UsageError } from './command.ts'
import { operatorToken } from './token.ts'

const TOKEN_LIFE_DAYS = 90
const DAY_MS = 86_400_000

/**
 * `init DIR`: a configuration that starts, policies to start with, and the first operator token,
 * shown once. Nothing that exists is overwritten; only the owner can read what is written.
 */
export function init(
  { io, terminal, now }: Context,
  { directory, installation }: { directory: string; installation?: string },
): ExitCode {
  const root = resolve(directory)
  const configFile = join(root, 'mayfly.yaml')
  const policies = join(root, 'policies')
  for (const taken of [configFile, policies].filter((path) => existsSync(path))) {
    throw new UsageError(`${taken} exists already and is not overwritten: choose another directory`)
  }
  if (installation !== undefined && !/^[a-z0-9-]{2,24}$/.test(installation)) {
    throw new UsageError('--installation must be 2 to 24 of a-z 0-9 -')
  }
  const { token, sha256 } = operatorToken(io.random)
  const expires = new Date(now() + TOKEN_LIFE_DAYS * DAY_MS).toISOString().slice(0, 10)
  const templates = templateDirectory()
  const text = readFileSync(join(templates, 'mayfly.yaml'), 'utf8')
    .replace('__INSTALLATION__', installation ?? installationName(root, io.random))
    .replace('__TOKEN_SHA256__', sha256)
    .replace('__TOKEN_EXPIRES_AT__', expires)
  mkdirSync(policies, { recursive: true, mode: 0o700 })
  mkdirSync(join(root, 'data', 'keys'), { recursive: true, mode: 0o700 })
  writeFileSync(configFile, text, { flag: 'wx', mode: 0o600 })
  for (const name of readdirSync(join(templates, 'policies'))) {
    const policy = readFileSync(join(templates, 'policies', name), 'utf8')
    writeFileSync(join(policies, name), policy, { flag: 'wx', mode: 0o600 })
  }
  if (terminal.json) {
    terminal.answer({
      config: configFile,
      policies,
      operator: 'bootstrap',
      token,
      expires_at: expires,
    })
    return 0
  }
  terminal.line(`wrote ${configFile} and ${policies}`)
  terminal.line()
  terminal.line(`operator token (shown once, valid until ${expires}):`)
  terminal.line(`  export MAYFLY_TOKEN=${token}`)
  terminal.line()
  terminal.line('next:')
  terminal.line(
    '  put your issuers, agents, providers and entitlements in; its comments are examples',
  )
  terminal.line(`  mayfly doctor -c ${configFile}`)
  terminal.line(`  mayfly serve -c ${configFile}`)
  return 0
}

/** The directory's name with a random end: two brokers on one cloud account must not share one. */
function installationName(root: string, random: (bytes: number) => Uint8Array): string {
  const plain = basename(root)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 19)
  return `${plain || 'mayfly'}-${Buffer.from(random(2)).toString('hex')}`
}

/** `deploy/` of the clone or the installed package, seen from the sources or from `dist`. */
function templateDirectory(): string {
  const candidates = ['../../deploy/', '../../../deploy/']
  const found = candidates
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(join(path, 'mayfly.yaml')))
  if (found === undefined)
    throw new Error('the installation lacks deploy/mayfly.yaml: reinstall it')
  return found
}
