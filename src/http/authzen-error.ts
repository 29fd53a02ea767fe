import { type ErrorCode, type MayflyError, STATUS_OF } from '../errors.ts'

/** The evaluation endpoints of AuthZEN 1.0, whose errors are of that standard's form. */
export function speaksAuthZen(path: string): boolean {
  return path.startsWith('/access/v1/')
}

/** A wrong content type is a malformed request there, like every other body that cannot be read. */
export function authZenStatus(code: ErrorCode) {
  return code === 'unsupported_media_type' ? 400 : STATUS_OF[code]
}

/** A message and nothing else (AuthZEN 1.0, the section on HTTP errors). */
export function authZenError({ message, problems = [] }: MayflyError): string {
  const found = problems.map(({ path, message: what }) => (path ? `${path} ${what}` : what))
  return found.length === 0 ? message : `${message}: ${found.join('; ')}`
}
