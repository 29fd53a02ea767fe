import type { Answer } from '../faults.ts'
import type { Bucket } from './account.ts'
import { authorize, type Call, decide } from './caller.ts'
import { pairs, type SignedRequest } from './sigv4.ts'
import { AwsError, element, s3Answer } from './wire.ts'

interface Target {
  readonly call: Call
  readonly bucketName: string
  readonly key: string
  readonly query: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** The operation a path-style request means, by its S3 name; undefined: not in this sandbox. */
export function s3OperationName(request: SignedRequest): string | undefined {
  const { bucketName, key } = split(request.path)
  if (bucketName === '') return request.method === 'GET' ? 'ListBuckets' : undefined
  if (key === '') {
    return request.method === 'GET' ? 'ListObjectsV2' : undefined
  }
  const byMethod: Record<string, string> = {
    GET: 'GetObject',
    HEAD: 'HeadObject',
    PUT: 'PutObject',
    DELETE: 'DeleteObject',
  }
  return byMethod[request.method]
}

export function runS3(operation: string, call: Call, request: SignedRequest): Answer {
  const target = {
    call,
    ...split(request.path),
    query: new Map(pairs(request.query)),
    body: payload(request),
  }
  switch (operation) {
    case 'ListBuckets':
      return listBuckets(call)
    case 'ListObjectsV2':
      return listObjects(target)
    case 'GetObject':
    case 'HeadObject':
      return getObject(target)
    case 'PutObject':
      return putObject(target)
    default:
      return deleteObject(target)
  }
}

function listBuckets(call: Call): Answer {
  authorize(call, { action: 's3:ListAllMyBuckets', resource: 'arn:aws:s3:::*' })
  const buckets = [...call.account.buckets.keys()].map(
    (name) => `<Bucket>${element('Name', name)}${element('CreationDate', EPOCH)}</Bucket>`,
  )
  return s3Answer('ListAllMyBucketsResult', `<Buckets>${buckets.join('')}</Buckets>`)
}

function listObjects(target: Target): Answer {
  const { call, query, bucketName } = target
  const bucket = call.account.buckets.get(bucketName)
  authorize(call, {
    action: 's3:ListBucket',
    resource: `arn:aws:s3:::${bucketName}`,
    keys: {
      's3:prefix': query.get('prefix'),
      's3:delimiter': query.get('delimiter'),
      's3:max-keys': query.get('max-keys'),
    },
    resourcePolicy: bucket?.policy ?? [],
  })
  if (!bucket) throw noSuchBucket(bucketName)
  const prefix = query.get('prefix') ?? ''
  const found = [...bucket.objects].filter(([key]) => key.startsWith(prefix)).sort()
  const contents = found.map(
    ([key, body]) =>
      `<Contents>${element('Key', key)}${element('LastModified', EPOCH)}${element('Size', body.length)}</Contents>`,
  )
  const head =
    element('Name', bucketName) +
    element('Prefix', prefix) +
    element('KeyCount', found.length) +
    element('MaxKeys', 1000) +
    element('IsTruncated', 'false')
  return s3Answer('ListBucketResult', head + contents.join(''))
}

function getObject(target: Target): Answer {
  const bucket = onObject(target, 's3:GetObject')
  const body = bucket.objects.get(target.key)
  if (body === undefined) {
    // Without permission to list, S3 does not say that a key is absent.
    const listing = { action: 's3:ListBucket', resource: `arn:aws:s3:::${target.bucketName}` }
    const mayList = decide(target.call, { ...listing, resourcePolicy: bucket.policy }).allowed
    throw mayList
      ? new AwsError('NoSuchKey', 404, 'The specified key does not exist.')
      : new AwsError('AccessDenied', 403, 'Access Denied')
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/octet-stream', 'content-length': `${body.length}` },
    body: body.toString(),
  }
}

function putObject(target: Target): Answer {
  onObject(target, 's3:PutObject').objects.set(target.key, target.body)
  return { status: 200, headers: { etag: '"0"' }, body: '' }
}

function deleteObject(target: Target): Answer {
  onObject(target, 's3:DeleteObject').objects.delete(target.key)
  return { status: 204, body: '' }
}

function onObject({ call, bucketName, key }: Target, action: string): Bucket {
  const bucket = call.account.buckets.get(bucketName)
  const resource = `arn:aws:s3:::${bucketName}/${key}`
  authorize(call, { action, resource, resourcePolicy: bucket?.policy ?? [] })
  if (!bucket) throw noSuchBucket(bucketName)
  return bucket
}

function split(path: string): { bucketName: string; key: string } {
  const [, bucketName = '', ...key] = path.split('/')
  return { bucketName: decodeURIComponent(bucketName), key: decodeURIComponent(key.join('/')) }
}

/** The object's bytes; SDKs that stream send them in `aws-chunked` frames with a trailer. */
function payload({ headers, body }: SignedRequest): Buffer {
  const framed = String(headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-')
  if (!framed) return body
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.subarray(at, lineEnd).toString(), 16)
    if (lineEnd < 0 || !(size > 0)) return Buffer.concat(chunks)
    chunks.push(body.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}

const EPOCH = new Date(0).toISOString()

function noSuchBucket(name: string): AwsError {
  return new AwsError('NoSuchBucket', 404, `The specified bucket ${name} does not exist`)
}
