/** One request and answer inside the sandbox Vault, and the way it says no. */
import type { Answer } from '../faults.ts'

export type Operation = 'read' | 'list' | 'create' | 'update' | 'delete'

export interface Exchange {
  readonly operation: Operation
  /** Without `/v1/`; lists end with a slash, as Vault makes them. */
  readonly path: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Vault's error answer: `{"errors": […]}` under `status`. */
export class VaultRefusal extends Error {
  readonly status: number
  readonly errors: readonly string[]

  constructor(status: number, ...errors: string[]) {
    super(errors.join('; '))
    this.name = 'VaultRefusal'
    this.status = status
    this.errors = errors
  }
}

/** What an ACL refusal says. */
export function permissionDenied(): VaultRefusal {
  return new VaultRefusal(403, '1 error occurred:\n\t* permission denied\n\n')
}

export interface Reply {
  readonly data?: Readonly<Record<string, unknown>> | null
  readonly auth?: Readonly<Record<string, unknown>>
  readonly lease_id?: string
  readonly lease_duration?: number
  readonly renewable?: boolean
  readonly warnings?: readonly string[]
}

/** 200 with Vault's envelope. */
export function ok(reply: Reply): Answer {
  return json(200, {
    request_id: crypto.randomUUID(),
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: null,
    wrap_info: null,
    warnings: null,
    auth: null,
    ...reply,
  })
}

export function noContent(): Answer {
  return { status: 204, body: '' }
}

export function accepted(): Answer {
  return { status: 202, body: '' }
}

export function json(status: number, body: unknown): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

export function refused(refusal: VaultRefusal): Answer {
  return json(refusal.status, { errors: refusal.errors })
}

/** A list as Vault answers it; an empty one is 404. */
export function keys(names: Iterable<string>): Answer {
  const sorted = [...names].sort()
  if (sorted.length === 0) throw new VaultRefusal(404)
  return ok({ data: { keys: sorted } })
}

export function text(data: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const value = data[field]
  return typeof value === 'string' ? value : undefined
}

export function textList(
  data: Readonly<Record<string, unknown>>,
  field: string,
): readonly string[] | undefined {
  const value = data[field]
  if (value === undefined || value === null) return undefined
  const list = Array.isArray(value) ? value.map(String) : String(value).split(',')
  return list.map((entry) => entry.trim()).filter((entry) => entry !== '')
}

export function flag(data: Readonly<Record<string, unknown>>, field: string): boolean | undefined {
  const value = data[field]
  if (value === undefined || value === null) return undefined
  return value === true || value === 'true' || value === '1'
}

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, '': 1 }

/** Whole seconds of `300`, `"300"`, `"5m"`; zero and absent are undefined. */
export function seconds(
  data: Readonly<Record<string, unknown>>,
  field: string,
): number | undefined {
  const value = data[field]
  if (value === undefined || value === null || value === '') return undefined
  const match = /^(\d+)([smhd]?)$/.exec(String(value))
  if (!match) throw new VaultRefusal(400, `error parsing ${field}: time: invalid duration`)
  const parsed = Number(match[1]) * (UNIT_SECONDS[match[2] ?? ''] ?? 1)
  return parsed === 0 ? undefined : parsed
}
