import { MayflyError } from '../errors.ts'

/** The same answer for what is not there and what is not theirs: it does not repeat the id. */
export function notFound(what: string): MayflyError {
  return new MayflyError('not_found', `no such ${what}`)
}
