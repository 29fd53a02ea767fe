/** A location of an intent item, understood: part of a bucket, or any other full resource name. */
export type Location =
  | {
      readonly kind: 'objects'
      readonly bucket: string
      readonly name: string
      readonly open: boolean
    }
  | {
      readonly kind: 'resource'
      readonly service: string
      readonly name: string
      readonly open: boolean
    }

/** https://cloud.google.com/storage/docs/buckets#naming */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/
const SERVICE = /^[a-z0-9][a-z0-9.-]*\.googleapis\.com$/
/** Control and bidirectional characters, which could make a location read as another one. */
const UNREADABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u
const LONGEST = 1_024

/**
 * Parses `gs://bucket/name`, `gs://bucket/prefix*` (`open`: whatever begins like this) or a full
 * resource name `//service/path`, also open with a `*` at its end. Text: what is wrong with it.
 * `gs://bucket/*` is the bucket and all that is in it.
 */
export function parseLocation(text: string): Location | string {
  if (text.length > LONGEST) return `longer than ${LONGEST} characters`
  if (UNREADABLE.test(text)) return 'contains a control or invisible character'
  const open = text.endsWith('*')
  const body = open ? text.slice(0, -1) : text
  if (body.includes('*')) return 'may contain * only at its end'
  if (body.startsWith('gs://')) {
    const [bucket = '', ...rest] = body.slice('gs://'.length).split('/')
    if (!BUCKET.test(bucket)) return 'must name one bucket, without wildcard'
    if (rest.length === 0) return 'must go on after the bucket, for example gs://bucket/*'
    const name = rest.join('/')
    if (name === '' && !open) return 'must name an object, or all of the bucket as gs://bucket/*'
    return { kind: 'objects', bucket, name, open }
  }
  if (!body.startsWith('//')) return 'must be gs://bucket/prefix* or a full resource name //…'
  const [service = '', ...rest] = body.slice(2).split('/')
  if (!SERVICE.test(service)) return 'must name one service, like //pubsub.googleapis.com/…'
  const name = rest.join('/')
  if (name === '') return 'must name a resource of its service'
  if (service === 'storage.googleapis.com') return 'must be written as gs://bucket/prefix*'
  return { kind: 'resource', service, name, open }
}

/** Whether everything `request` can name is also named by `ceiling`; in doubt not. */
export function locationCovers(ceiling: Location, request: Location): boolean {
  if (placeOf(ceiling) !== placeOf(request)) return false
  if (ceiling.open) return request.name.startsWith(ceiling.name)
  return !request.open && request.name === ceiling.name
}

/**
 * Whether two locations can name the same thing, or one contain the other; in doubt they can: a
 * project has an id and a number, and everything lies in a project.
 */
export function locationsOverlap(a: Location, b: Location): boolean {
  if (a.kind === 'objects' && b.kind === 'objects') {
    if (a.bucket !== b.bucket) return false
    return locationCovers(a, b) || locationCovers(b, a)
  }
  if (a.kind === 'resource' && b.kind === 'resource' && a.service === b.service) return true
  return [a, b].some(
    (one) => one.kind === 'resource' && one.service === 'cloudresourcemanager.googleapis.com',
  )
}

function placeOf(location: Location): string {
  return location.kind === 'objects' ? `gs://${location.bucket}` : `//${location.service}`
}
