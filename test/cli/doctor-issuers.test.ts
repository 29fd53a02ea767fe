import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { parse, stringify } from 'yaml'
import { Authority } from '../fixture/certificates.ts'
import { Cluster } from '../sandbox/kubernetes/index.ts'
import { mayfly } from './run-mayfly.ts'

const authority = Authority.named('cluster')
let cluster: Cluster
let file = ''

beforeEach(async () => {
  const tls = authority.issue({ dns: ['localhost'] })
  cluster = await new Cluster({ now: Date.now, tls }).start()
  onTestFinished(() => cluster.close())
  const parent = mkdtempSync(join(tmpdir(), 'mayfly-doctor-'))
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
  const dir = join(parent, 'broker')
  await mayfly(['init', dir])
  file = join(dir, 'mayfly.yaml')
  const self = cluster.objects.createAccount('mayfly', 'mayfly')
  const token = await cluster.token({ account: self, audience: cluster.issuer })
  writeFileSync(join(dir, 'token'), token, { mode: 0o600 })
  writeFileSync(join(dir, 'ca.crt'), authority.pem)
  const document = parse(readFileSync(file, 'utf8'))
  document.issuers = [
    {
      ...{ name: 'prod', type: 'kubernetes', issuer: cluster.issuer, audience: 'mayfly' },
      api_server: { url: cluster.url, ca: 'file:./ca.crt', token: 'file:./token' },
      token_review: true,
    },
  ]
  writeFileSync(file, stringify(document))
})

it('doctor sees that a cluster answers over its own authority and reviews tokens', async () => {
  cluster.reviewers.add('system:serviceaccount:mayfly:mayfly')
  const { code, stdout } = await mayfly(['doctor', '-c', file])
  expect(stdout).toContain('issuer prod answers')
  expect(stdout).toContain('issuer prod: tokens can be reviewed')
  expect(code).toBe(0)
})

it('doctor asks transmitters of security events for their keys', async () => {
  const document = parse(readFileSync(file, 'utf8'))
  const source = { type: 'ssf', audience: 'mayfly', issuer: 'http://127.0.0.1:1/tenant' }
  document.signals = { sources: [{ name: 'idp', ...source }] }
  writeFileSync(file, stringify(document))
  const { stdout } = await mayfly(['doctor', '-c', file])
  expect(stdout).toContain(
    'signal source idp: http://127.0.0.1:1/.well-known/ssf-configuration/tenant cannot be reached',
  )
})

it('doctor names what the broker’s account lacks to review tokens', async () => {
  const { code, stdout } = await mayfly(['doctor', '-c', file])
  expect(stdout).toContain('the token review answered 403')
  expect(stdout).toContain('system:auth-delegator')
  expect(code).toBe(1)
})
