import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mayfly, mayflyProcess } from './run-mayfly.ts'

let parent = ''
let dir = ''
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'mayfly-init-'))
  dir = join(parent, 'Acme Prod')
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

const file = () => join(dir, 'mayfly.yaml')
const modeOf = (path: string) => statSync(path).mode & 0o777

describe('init', () => {
  it('writes what config check accepts, without any cloud account', async () => {
    expect((await mayflyProcess(['init', dir])).code).toBe(0)
    const check = await mayflyProcess(['config', 'check', '-c', file()])
    expect(check).toMatchObject({ code: 0, stderr: '' })
    expect(check.stdout).toContain('is usable')
    expect(check.stdout).not.toContain('warning')
  })

  it('P2: shows the token once and keeps only its SHA-256', async () => {
    const { stdout } = await mayfly(['init', dir])
    const token = /mfo_[\w-]{43}/.exec(stdout)?.[0] ?? ''
    const text = readFileSync(file(), 'utf8')
    expect(text).toContain(createHash('sha256').update(token).digest('hex'))
    expect(text).not.toContain(token)
  })

  it('leaves nothing for others to read', async () => {
    await mayfly(['init', dir])
    for (const path of ['', 'policies', 'data', 'data/keys']) {
      expect(modeOf(join(dir, path))).toBe(0o700)
    }
    for (const name of readdirSync(join(dir, 'policies'))) {
      expect(modeOf(join(dir, 'policies', name))).toBe(0o600)
    }
    expect(modeOf(file())).toBe(0o600)
  })

  it('overwrites nothing', async () => {
    await mayfly(['init', dir])
    const before = readFileSync(file(), 'utf8')
    expect((await mayfly(['init', dir])).code).toBe(2)
    expect(readFileSync(file(), 'utf8')).toBe(before)
  })

  it('gives two brokers in directories of one name different upstream names', async () => {
    const nameOf = async (at: string) => {
      await mayfly(['init', at])
      return /^installation: (.*)$/m.exec(readFileSync(join(at, 'mayfly.yaml'), 'utf8'))?.[1]
    }
    const names = [await nameOf(dir), await nameOf(join(parent, 'x', 'Acme Prod'))]
    expect(names[0]).toMatch(/^acme-prod-[0-9a-f]{4}$/)
    expect(names[0]).not.toBe(names[1])
  })

  it('refuses a name no upstream could bear', async () => {
    expect((await mayfly(['init', dir, '--installation', 'Acme!'])).code).toBe(2)
  })
})

describe('config', () => {
  it('P16: check says everything that is wrong and exits 1', async () => {
    await mayfly(['init', dir])
    const text = readFileSync(file(), 'utf8')
    writeFileSync(file(), `${text.replace('version: 1', 'version: 7')}\nlimits: { nope: 1 }\n`)
    writeFileSync(join(dir, 'policies', 'own.cedar'), 'permit (principal')
    const { code, stdout } = await mayfly(['config', 'check', '-c', file()])
    expect(code).toBe(1)
    for (const path of ['version', 'limits.nope', 'own.cedar']) expect(stdout).toContain(path)
  })

  it('is found by MAYFLY_CONFIG', async () => {
    await mayfly(['init', dir])
    expect((await mayfly(['config', 'check'], { MAYFLY_CONFIG: file() })).code).toBe(0)
    expect((await mayfly(['config', 'check'], { MAYFLY_CONFIG: '/nowhere' })).code).toBe(1)
  })

  it('diff shows what taking over another file changes', async () => {
    await mayfly(['init', dir])
    const other = join(dir, 'other.yaml')
    writeFileSync(other, readFileSync(file(), 'utf8').replace('[admin]', '[auditor]'))
    const { code, stdout } = await mayfly(['config', 'diff', file(), '-c', other])
    expect(code).toBe(0)
    expect(stdout).toBe('~ operators.bootstrap.roles: ["admin"] -> ["auditor"]\n')
  })
})

describe('doctor', () => {
  it('finds nothing wrong with what init wrote', async () => {
    await mayfly(['init', dir])
    const { code, stdout } = await mayfly(['doctor', '-c', file(), '--json'])
    expect(code).toBe(0)
    const [host] = JSON.parse(stdout).examined
    expect(host.findings.map((f: { level: string }) => f.level)).toEqual(['ok', 'ok', 'ok'])
  })

  it('P17: says that the disk is too full to mint, and exits 1', async () => {
    await mayfly(['init', dir])
    const text = readFileSync(file(), 'utf8')
    writeFileSync(file(), `${text}\nlimits: { free_disk_reserve: 900000GiB }\n`)
    const { code, stdout } = await mayfly(['doctor', '-c', file()])
    expect(code).toBe(1)
    expect(stdout).toMatch(/BLOCKING .*MiB free/)
  })
})

describe('doctor of a provider', () => {
  it('P2: says what an upstream that does not answer keeps from working, without its token', async () => {
    await mayfly(['init', dir])
    const vault = `{ type: vault, address: "http://127.0.0.1:2", auth: { method: token, token: env:VAULT } }`
    const text = readFileSync(file(), 'utf8').replace(
      /^providers:$/m,
      `providers: { vault: ${vault} }`,
    )
    writeFileSync(file(), text)
    const { code, stdout, stderr } = await mayfly(['doctor', '-c', file()], { VAULT: 'hvs.canary' })
    expect(code).toBe(1)
    expect(stdout).toMatch(/provider vault \(vault\)\n +BLOCKING/)
    expect(stdout + stderr).not.toContain('canary')
  })
})

describe('token new', () => {
  it('prints a token and the line for the file, which belong together', async () => {
    const { stdout } = await mayfly(['token', 'new'])
    const [, token = ''] = /token +(mfo_\S+)/.exec(stdout) ?? []
    expect(stdout).toContain(`token_sha256: ${createHash('sha256').update(token).digest('hex')}`)
  })

  it('makes one for a gateway, which is no operator', async () => {
    const { stdout, stderr } = await mayfly(['token', 'new', '--gateway'])
    expect(stdout).toMatch(/token +mfg_[\w-]{43}\n/)
    expect(stderr).toContain('under gateways in mayfly.yaml')
  })

  it('makes one for a resource server', async () => {
    const { stdout, stderr } = await mayfly(['token', 'new', '--resource-server'])
    expect(stdout).toMatch(/token +mfr_[\w-]{43}\n/)
    expect(stderr).toContain('under resource_servers in mayfly.yaml')
  })
})
