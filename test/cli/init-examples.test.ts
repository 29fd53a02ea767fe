import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Authority, SERVER_AUTH, USAGE } from '../fixture/certificates.ts'
import { mayfly } from './run-mayfly.ts'

it('P16: every example of the configuration that init writes is accepted as it stands there', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-examples-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  await mayfly(['init', join(dir, 'broker')])
  const file = join(dir, 'broker', 'mayfly.yaml')
  // What the examples refer to, which everybody has elsewhere.
  const ca = Authority.named('an example')
  const own = ca.issue({ usages: USAGE.digitalSignature, purposes: [SERVER_AUTH], dns: ['x.y'] })
  const files = { 'ca.crt': ca.pem, token: 'x', 'own.crt': own.cert, 'own.key': own.key }
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(dir, name), text, { mode: 0o600 })
  writeFileSync(join(dir, 'broker/corp.example.pem'), ca.pem)
  cpSync(join(dir, 'broker/policies'), join(dir, 'broker/policies-next'), { recursive: true })
  writeFileSync(
    file,
    uncommented(readFileSync(file, 'utf8'))
      .replaceAll('file:/etc/mayfly/', `file:${dir}/`)
      .replaceAll('file:/mnt/worm/', `file:${dir}/`)
      .replace('server:\n', `server:\n  tls: { cert: ${dir}/own.crt, key: ${dir}/own.key }\n`),
  )
  const { code, stdout, stderr } = await mayfly(['config', 'check', '-c', file], {
    SPLUNK_SECRET: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
    SPLUNK_PATH: 'p'.repeat(40),
    IDP_AUTHORIZATION: 'Bearer something-long-enough-for-it',
    APPROVALS_SECRET: `whsec_${Buffer.alloc(32, 2).toString('base64')}`,
  })
  expect(stdout + stderr).toMatch(
    /^\S+ is usable: 1 agent, 2 entitlements, 2 providers, \d+ policies\n$/,
  )
  expect(code).toBe(0)
})

/** `#  - name: …` and what is below it, and `# approvals:`; prose stays a comment. */
function uncommented(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replace(/^#(?= {2,}\S)/, '').replace(/^# (?=[a-z_]+:( |$))/, ''))
    .join('\n')
}
