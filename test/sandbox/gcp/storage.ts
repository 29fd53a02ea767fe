import { createHash, randomUUID } from 'node:crypto'
import type { Answer } from '../faults.ts'
import type { StorageAccess } from './boundary.ts'
import { bodyOf, type Call, googleError, json, type Route } from './request.ts'
import type { StoredObject } from './world.ts'

const OBJECT = '/storage/v1/b/([^/]+)/o/([^/]+)$'

/** Cloud Storage JSON API v1: objects get, download, insert, delete, list; buckets get. */
export const storageRoutes: readonly Route[] = [
  { method: 'GET', path: /^\/storage\/v1\/b\/([^/]+)$/, operation: 'buckets.get', perform: bucket },
  {
    method: 'GET',
    path: /^\/storage\/v1\/b\/([^/]+)\/iam\/testPermissions$/,
    operation: 'buckets.testIamPermissions',
    perform: testPermissions,
  },
  {
    method: 'GET',
    path: /^\/storage\/v1\/b\/([^/]+)\/o$/,
    operation: 'objects.list',
    perform: list,
  },
  {
    method: 'GET',
    path: new RegExp(`^(?:/download)?${OBJECT}`),
    operation: 'objects.get',
    perform: get,
  },
  {
    method: 'DELETE',
    path: new RegExp(`^${OBJECT}`),
    operation: 'objects.delete',
    perform: remove,
  },
  {
    method: 'POST',
    path: /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/,
    operation: 'objects.insert',
    perform: insert,
  },
  {
    method: 'PUT',
    path: /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/,
    operation: 'objects.resume',
    perform: resume,
  },
]

function bucket(call: Call): Answer {
  const [name = ''] = call.params
  return permitted(call, [{ permission: 'storage.buckets.get', bucket: name }], () =>
    call.world.buckets.has(name)
      ? json(200, { kind: 'storage#bucket', id: name, name })
      : googleError(404, 'The specified bucket does not exist.'),
  )
}

/**
 * Whoever is authenticated may ask, and hears what of it they may do. It uses nothing, so that it
 * is no use for the ledger. This API's errors have no `status`.
 */
function testPermissions(call: Call): Answer {
  const [name = ''] = call.params
  if (!call.world.knows(call.bearer)) {
    const errors = [{ message: 'Invalid Credentials', domain: 'global', reason: 'authError' }]
    return json(401, { error: { code: 401, message: 'Invalid Credentials', errors } })
  }
  const permissions = call.query
    .getAll('permissions')
    .filter((permission) => call.world.wouldPermit(call.bearer, { permission, bucket: name }))
  return json(200, {
    kind: 'storage#testIamPermissionsResponse',
    ...(permissions.length > 0 && { permissions }),
  })
}

function list(call: Call): Answer {
  const [name = ''] = call.params
  const prefix = call.query.get('prefix') ?? ''
  const access = { permission: 'storage.objects.list', bucket: name, listPrefix: prefix }
  return permitted(call, [access], () => {
    const objects = [...(call.world.buckets.get(name) ?? [])]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => (a < b ? -1 : 1))
    return json(200, {
      kind: 'storage#objects',
      ...(objects.length > 0 && { items: objects.map(([key, o]) => view(name, key, o)) }),
    })
  })
}

function get(call: Call): Answer {
  const [name = '', key = ''] = call.params
  const access = { permission: 'storage.objects.get', bucket: name, object: key }
  return permitted(call, [access], () => {
    const object = call.world.buckets.get(name)?.get(key)
    if (!object) return googleError(404, `No such object: ${name}/${key}`)
    if (call.query.get('alt') !== 'media') return json(200, view(name, key, object))
    return {
      status: 200,
      headers: {
        'content-type': object.contentType,
        'x-goog-hash': `crc32c=${crc32c(object.content)},md5=${md5(object.content)}`,
        'x-goog-generation': String(object.generation),
      },
      body: object.content.toString('utf8'),
    }
  })
}

function remove(call: Call): Answer {
  const [name = '', key = ''] = call.params
  const access = { permission: 'storage.objects.delete', bucket: name, object: key }
  return permitted(call, [access], () =>
    call.world.buckets.get(name)?.delete(key)
      ? { status: 204, body: '' }
      : googleError(404, `No such object: ${name}/${key}`),
  )
}

function insert(call: Call): Answer {
  const [name = ''] = call.params
  const upload = uploadOf(call)
  if (typeof upload === 'string') return googleError(400, upload)
  if (!call.world.buckets.has(name)) return googleError(404, 'The specified bucket does not exist.')
  return permitted(call, writes(call, name, upload.key), () => {
    if (upload.content) return store(call, name, upload.key, { ...upload, content: upload.content })
    const id = randomUUID()
    call.world.uploads.set(id, { bucket: name, key: upload.key, contentType: upload.contentType })
    const location = `${call.origin}/upload/storage/v1/b/${name}/o?uploadType=resumable&upload_id=${id}`
    return { status: 200, headers: { location }, body: '' }
  })
}

/** As on the real thing, the session's URI is all it takes: no token is looked at any more. */
function resume(call: Call): Answer {
  const session = call.world.uploads.get(call.query.get('upload_id') ?? '')
  if (!session) return googleError(404, 'no such upload')
  return store(call, session.bucket, session.key, { ...session, content: call.body })
}

/** Overwriting needs the right to delete as well. */
function writes(call: Call, bucket: string, object: string): StorageAccess[] {
  const create = { permission: 'storage.objects.create', bucket, object }
  if (!call.world.buckets.get(bucket)?.has(object)) return [create]
  return [create, { permission: 'storage.objects.delete', bucket, object }]
}

function store(
  call: Call,
  bucket: string,
  key: string,
  given: { content: Buffer; contentType: string },
): Answer {
  const objects = call.world.buckets.get(bucket)
  const generation = (objects?.get(key)?.generation ?? 0) + 1
  const object = { content: given.content, contentType: given.contentType, generation }
  objects?.set(key, object)
  return json(200, view(bucket, key, object))
}

interface Upload {
  readonly key: string
  readonly contentType: string
  /** Null where the content comes later, by the session's URI. */
  readonly content: Buffer | null
}

/** Reads `uploadType` media, multipart and resumable; text only, which is all that tests need. */
function uploadOf(call: Call): Upload | string {
  const type = String(call.headers['content-type'] ?? 'application/octet-stream')
  const kind = call.query.get('uploadType')
  const named = call.query.get('name')
  if (kind === 'media') {
    return named ? { key: named, content: call.body, contentType: type } : 'name: required'
  }
  if (kind === 'resumable') {
    const key = named ?? bodyOf(call)?.name
    const contentType = String(call.headers['x-upload-content-type'] ?? 'text/plain')
    return typeof key === 'string' ? { key, contentType, content: null } : 'name: required'
  }
  const boundary = /boundary="?([^";]+)"?/.exec(type)?.[1]
  if (kind !== 'multipart' || !boundary) return 'uploadType: not known here'
  const [, metadata = '', content = ''] = call.body
    .toString('utf8')
    .split(`--${boundary}`)
    .map((part) => part.replace(/^\r?\n/, '').replace(/\r?\n$/, ''))
  const key = named ?? bodyOf({ ...call, body: Buffer.from(afterHeaders(metadata)) })?.name
  if (typeof key !== 'string') return 'name: required'
  const contentType = /^content-type: *(.+)$/im.exec(content)?.[1]?.trim() ?? 'text/plain'
  return { key, content: Buffer.from(afterHeaders(content)), contentType }
}

function afterHeaders(part: string): string {
  const end = /\r?\n\r?\n/.exec(part)
  return end ? part.slice(end.index + end[0].length) : ''
}

function permitted(call: Call, accesses: readonly StorageAccess[], perform: () => Answer): Answer {
  for (const access of accesses) {
    const verdict = call.world.judge(call.bearer, access)
    if (!verdict.allowed) return googleError(verdict.status, verdict.reason)
  }
  return perform()
}

function view(bucketName: string, key: string, object: StoredObject) {
  return {
    kind: 'storage#object',
    id: `${bucketName}/${key}/${object.generation}`,
    name: key,
    bucket: bucketName,
    generation: String(object.generation),
    contentType: object.contentType,
    size: String(object.content.length),
    md5Hash: md5(object.content),
    crc32c: crc32c(object.content),
  }
}

function md5(content: Buffer): string {
  return createHash('md5').update(content).digest('base64')
}

/** CRC-32C (Castagnoli), big-endian in base64: what the clients verify downloads with. */
function crc32c(content: Buffer): string {
  let crc = 0xffffffff
  for (const byte of content) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  const out = Buffer.alloc(4)
  out.writeUInt32BE((crc ^ 0xffffffff) >>> 0)
  return out.toString('base64')
}
