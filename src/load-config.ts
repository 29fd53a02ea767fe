import { readdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { providerTypes } from '../providers/index.ts'
import { parseYaml } from './config/document.ts'
import { Report } from './config/report.ts'
import { type Env, secretResolver } from './config/secret-source.ts'
import { type Config, type ConfigResult, parseConfig } from './config.ts'
import type { Problem } from './errors.ts'
import { loadPolicies, type PolicyEngine } from './policy/engine.ts'
import type { PolicySource } from './policy/policy-set.ts'
import type { AnyProviderDefinition } from './provider.ts'
import { tlsProblems } from './tls.ts'

export type LoadResult =
  | {
      readonly ok: true
      readonly config: Config
      /** Compiled from `config.policies.sources`. */
      readonly policies: PolicyEngine
      /** Likewise of `config.policiesShadow`; absent where none are configured. */
      readonly shadow: PolicyEngine | undefined
      readonly warnings: readonly Problem[]
    }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      readonly warnings: readonly Problem[]
    }

export interface LoadRequest {
  /** The file, relative to the working directory or absolute. */
  readonly file: string
  readonly env: Env
  readonly now: number
  /** What `providers.<name>.type` can be; absent: what Mayfly ships. */
  readonly providerTypes?: Readonly<Record<string, () => Promise<AnyProviderDefinition>>>
}

/**
 * Reads a configuration with all that belongs to it: file → provider types → parse → policies.
 * `serve`, a reload and `config check` all run this, so what one accepts the others accept (P16).
 */
export async function loadConfig(request: LoadRequest): Promise<LoadResult> {
  const file = resolve(request.file)
  const text = readText(file)
  if (typeof text !== 'string') return { ok: false, problems: [text], warnings: [] }
  const known = request.providerTypes ?? providerTypes
  const baseDir = dirname(file)
  const secrets = secretResolver(request.env, baseDir)
  const directories = new Map<string, readonly PolicySource[]>()
  const parsed = parseConfig(text, {
    definitions: await importDefinitions(text, known),
    knownTypes: Object.keys(known),
    resolveSecret: secrets.resolve,
    readPolicies: (directory) => {
      const read = readPolicies(directory)
      if (!('path' in read)) directories.set(directory, read)
      return read
    },
    baseDir,
    now: request.now,
  })
  return withPolicies(parsed, { directories, secretWarnings: secrets.warnings })
}

/** Compiles the policies; their problems come together with those of the rest. */
function withPolicies(
  parsed: ConfigResult,
  found: {
    /** In the order of reading: those to enforce, then those to shadow. */
    directories: ReadonlyMap<string, readonly PolicySource[]>
    secretWarnings: readonly Problem[]
  },
): LoadResult {
  const warnings = [...parsed.warnings, ...found.secretWarnings]
  const [sources = [], shadowSources] = found.directories.values()
  const policies = loadPolicies(sources)
  const shadow = shadowSources && loadPolicies(shadowSources)
  const problems = [
    ...(parsed.ok ? tlsProblems(parsed.config) : parsed.problems),
    ...(policies.ok ? [] : policies.problems),
    ...(shadow && !shadow.ok ? shadow.problems.map(inShadow) : []),
  ]
  if (!parsed.ok || !policies.ok || problems.length > 0) return { ok: false, problems, warnings }
  return {
    ok: true,
    config: parsed.config,
    policies: policies.engine,
    shadow: shadow?.ok ? shadow.engine : undefined,
    warnings,
  }
}

function inShadow({ path, message }: Problem): Problem {
  return { path: `policies_shadow: ${path}`, message }
}

/** The definitions of the types the text names; what it names wrongly is left to `parseConfig`. */
async function importDefinitions(
  text: string,
  known: NonNullable<LoadRequest['providerTypes']>,
): Promise<Map<string, AnyProviderDefinition>> {
  const document = parseYaml(new Report(), text)
  const types = new Set(Object.values(field(document, 'providers')).map((p) => field(p, 'type')))
  const definitions = new Map<string, AnyProviderDefinition>()
  for (const [type, load] of Object.entries(known)) {
    if (types.has(type)) definitions.set(type, await load())
  }
  return definitions
}

function field(value: unknown, key: string): object | string {
  if (typeof value !== 'object' || value === null) return {}
  const inner = (value as Record<string, unknown>)[key] // an object, checked above
  return (typeof inner === 'object' && inner !== null) || typeof inner === 'string' ? inner : {}
}

function readText(file: string): string | Problem {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    return {
      path: file,
      message: `cannot be read (${codeOf(error)}): give -c FILE or MAYFLY_CONFIG, or run mayfly init`,
    }
  }
}

/** Every `.cedar` file of `directory`, by name. */
export function readPolicies(directory: string): readonly PolicySource[] | Problem {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.cedar'))
      .toSorted()
      .map((name) => ({ name, text: readFileSync(resolve(directory, name), 'utf8') }))
  } catch (error) {
    return { path: 'policies', message: `${directory} cannot be read (${codeOf(error)})` }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
