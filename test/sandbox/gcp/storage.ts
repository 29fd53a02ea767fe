import { createHash } from 'node:crypto'
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
]

function bucket(call: Call): Answer {
  const [name = ''] = call.params
  return permitted(call, [{ permission: 'storage.buckets.get', bucket: name }], () =>
    call.world.buckets.has(name)
      ? json(200, { kind: 'storage#bucket', id: name, name })
      : googleError(404, 'The specified bucket does not exist.'),
  )
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

/** Overwriting needs the right to delete as well, as on the real thing. */
function insert(call: Call): Answer {
  const [name = ''] = call.params
  const upload = uploadOf(call)
  if (typeof upload === 'string') return googleError(400, upload)
  const objects = call.world.buckets.get(name)
  const before = objects?.get(upload.key)
  const accesses = [{ permission: 'storage.objects.create', bucket: name, object: upload.key }]
  if (before)
    accesses.push({ permission: 'storage.objects.delete', bucket: name, object: upload.key })
  return permitted(call, accesses, () => {
    if (!objects) return googleError(404, 'The specified bucket does not exist.')
    const object = { ...upload, generation: (before?.generation ?? 0) + 1 }
    objects.set(upload.key, object)
    return json(200, view(name, upload.key, object))
  })
}

/** Reads `uploadType=media` and `multipart`; text only, which is all that tests need. */
function uploadOf(call: Call): { key: string; content: Buffer; contentType: string } | string {
  const type = String(call.headers['content-type'] ?? 'application/octet-stream')
  const named = call.query.get('name')
  if (call.query.get('uploadType') === 'media') {
    if (!named) return 'name: required'
    return { key: named, content: call.body, contentType: type }
  }
  const boundary = /boundary="?([^";]+)"?/.exec(type)?.[1]
  if (call.query.get('uploadType') !== 'multipart' || !boundary) return 'uploadType: not known here'
  const [, metadata = '', content = ''] = call.body
    .toString('utf8')
    .split(`--${boundary}`)
    .map((part) => part.replace(/^\r?\n/, '').replace(/\r?\n$/, ''))
  const described = bodyOf({ ...call, body: Buffer.from(afterHeaders(metadata)) })
  const key = named ?? described?.name
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
