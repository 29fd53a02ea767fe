/**
 * An upstream said no, or said nothing. The message is for operators and holds no secret: build it
 * from status codes and upstream error names, never from a client's raw error object.
 */
export class UpstreamError extends Error {
  /** `refused`: a listed answer that proves the call had no effect. */
  readonly outcome: 'refused' | 'unknown'
  /** The upstream's own name for it, where there is one. */
  readonly upstreamCode: string | undefined
  /** So long it asked to be left alone; 0: it has too much to do. Undefined: it said no such thing. */
  readonly retryAfterMs: number | undefined

  constructor(
    outcome: 'refused' | 'unknown',
    message: string,
    upstreamCode?: string,
    retryAfterMs?: number,
  ) {
    super(message)
    this.name = 'UpstreamError'
    this.outcome = outcome
    this.upstreamCode = upstreamCode
    this.retryAfterMs = retryAfterMs
  }
}

/** A `Retry-After` (RFC 9110 §10.2.3) in milliseconds, or 0 where a 429 comes without a usable one. */
export function retryAfterOf(
  { status, header }: { readonly status: number; readonly header: string | null | undefined },
  now: number,
): number | undefined {
  const value = header?.trim() ?? ''
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  if (Number.isFinite(ms) && value !== '') return Math.max(0, ms)
  return status === 429 ? 0 : undefined
}
