/** The whole API. */
export const EVERYWHERE = '*'

/** A path without query, dots or escapes, which two readers could read differently; `*` ends it. */
const PATH = /^\/(?:[A-Za-z0-9._~!$&'()+,;=:@-]+\/)*(?:[A-Za-z0-9._~!$&'()+,;=:@-]+)?\*?$/

/** Why a text is no location; undefined if it is one. */
export function locationProblem(text: string): string | undefined {
  if (text === EVERYWHERE) return undefined
  if (!PATH.test(text))
    return 'must be a path like /tickets/4711 or /tickets/*, or * for everything'
  const dots = text.split('/').some((part) => /^\.{1,2}\*?$/.test(part))
  return dots ? 'must not step with . or ..' : undefined
}

/** Whether everything below `request` is below `ceiling` too: a final `*` stands for any rest. */
export function locationCovers(ceiling: string, request: string): boolean {
  if (ceiling === EVERYWHERE) return true
  if (!ceiling.endsWith('*')) return ceiling === request
  return request !== EVERYWHERE && request.startsWith(ceiling.slice(0, -1))
}

export function isWholeApi(location: string): boolean {
  return location === EVERYWHERE || location === '/*'
}
