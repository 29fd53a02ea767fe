/** `secret/` (version 2) and `kv/` (version 1), as far as a demo and the tests write and read. */
import type { Answer } from '../faults.ts'
import { type Exchange, keys, noContent, ok, VaultRefusal } from './exchange.ts'

type Values = Readonly<Record<string, unknown>>

export class KeyValueV1 {
  readonly #values = new Map<string, Values>()

  exists(path: string): boolean {
    return this.#values.has(path)
  }

  handle({ operation, data }: Exchange, path: string): Answer {
    if (operation === 'list') return keys(children(this.#values.keys(), path))
    if (operation === 'create' || operation === 'update') {
      this.#values.set(path, data)
      return noContent()
    }
    if (operation === 'delete') {
      this.#values.delete(path)
      return noContent()
    }
    const value = this.#values.get(path)
    if (!value) throw new VaultRefusal(404)
    return ok({ data: value, lease_duration: 2_764_800 })
  }
}

export class KeyValueV2 {
  readonly #versions = new Map<string, { data: Values; at: number }[]>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  exists(path: string): boolean {
    return this.#versions.has(path.slice(path.indexOf('/') + 1))
  }

  /** `path` starts with `data/` or `metadata/`. */
  handle(exchange: Exchange, path: string): Answer {
    const kind = path.slice(0, path.indexOf('/'))
    const name = path.slice(path.indexOf('/') + 1)
    if (kind === 'metadata') return this.#metadata(exchange, name)
    if (kind !== 'data') throw new VaultRefusal(404, 'unsupported path')
    return this.#data(exchange, name)
  }

  #data({ operation, data }: Exchange, name: string): Answer {
    const versions = this.#versions.get(name) ?? []
    if (operation === 'create' || operation === 'update') {
      const value = data.data
      if (typeof value !== 'object' || value === null)
        throw new VaultRefusal(400, 'no data provided')
      // A JSON object, by the check above.
      versions.push({ data: value as Values, at: this.#now() })
      this.#versions.set(name, versions)
      return ok({ data: { version: versions.length, destroyed: false } })
    }
    if (operation === 'delete') {
      this.#versions.delete(name)
      return noContent()
    }
    const latest = versions.at(-1)
    if (!latest) throw new VaultRefusal(404)
    const metadata = { version: versions.length, created_time: new Date(latest.at).toISOString() }
    return ok({ data: { data: latest.data, metadata } })
  }

  #metadata({ operation }: Exchange, name: string): Answer {
    if (operation === 'list') return keys(children(this.#versions.keys(), name))
    if (operation === 'delete') {
      this.#versions.delete(name)
      return noContent()
    }
    const versions = this.#versions.get(name)
    if (!versions) throw new VaultRefusal(404)
    return ok({ data: { current_version: versions.length, oldest_version: 1 } })
  }
}

/** The names directly below a folder; folders keep their slash. */
function children(paths: Iterable<string>, folder: string): Set<string> {
  const below = [...paths].filter((path) => path.startsWith(folder))
  return new Set(
    below.map((path) => {
      const rest = path.slice(folder.length)
      const slash = rest.indexOf('/')
      return slash < 0 ? rest : rest.slice(0, slash + 1)
    }),
  )
}
