/**
 * The floor: what any broker on this stack must do for each request and nothing else, so one ES256
 * verification and one durable, group-committed insert. argv: the public key as JWK, the database.
 */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import Sqlite from 'better-sqlite3'
import { Hono } from 'hono'
import { importJWK, jwtVerify } from 'jose'

const [jwk = '', path = ''] = process.argv.slice(2)
const key = await importJWK(JSON.parse(jwk), 'ES256')
const sqlite = new Sqlite(path)
sqlite.pragma('locking_mode = EXCLUSIVE')
sqlite.pragma('journal_mode = WAL')
sqlite.pragma('synchronous = FULL')
sqlite.exec('create table issued (id text primary key, subject text not null, body text not null)')
const insert = sqlite.prepare('insert into issued (id, subject, body) values (?, ?, ?)')

let waiting: { row: [string, string, string]; done: () => void }[] = []
const commit = sqlite.transaction((rows: typeof waiting) => {
  for (const { row } of rows) insert.run(...row)
})

function durable(row: [string, string, string]): Promise<void> {
  return new Promise((done) => {
    if (waiting.length === 0) setImmediate(flush)
    waiting.push({ row, done })
  })
}

function flush(): void {
  const group = waiting
  waiting = []
  commit(group)
  for (const { done } of group) done()
}

const app = new Hono()
app.post('/', async (c) => {
  const token = c.req.header('authorization')?.slice('Bearer '.length) ?? ''
  const { payload } = await jwtVerify(token, key, { audience: 'mayfly', algorithms: ['ES256'] })
  const body = await c.req.text()
  const id = randomBytes(12).toString('hex')
  await durable([id, String(payload.sub), body])
  return c.json({ id }, 201)
})

const server = createAdaptorServer({ fetch: app.fetch })
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo // a TCP server's
  process.send?.({ url: `http://127.0.0.1:${port}` })
})
process.on('disconnect', () => process.exit(0))
