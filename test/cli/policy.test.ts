import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mayfly } from './run-mayfly.ts'

let dir = ''
beforeEach(async () => {
  dir = join(mkdtempSync(join(tmpdir(), 'mayfly-policy-')), 'house')
  await mayfly(['init', dir])
})
afterEach(() => rmSync(join(dir, '..'), { recursive: true, force: true }))

const policies = () => join(dir, 'policies')
const write = (name: string, text: string) => writeFileSync(join(policies(), name), text)

describe('policy check', () => {
  it('says that what init wrote is fine', async () => {
    const { code, stdout } = await mayfly(['policy', 'check', policies()])
    expect([code, stdout]).toEqual([0, expect.stringMatching(/\d\d policies, 0 warnings/)])
  })

  it('warns without refusing', async () => {
    write(
      'own.cedar',
      '@id("open") permit(principal, action == Mayfly::Action::"openTask", resource);',
    )
    const { code, stdout } = await mayfly(['policy', 'check', policies()])
    expect(code).toBe(0)
    expect(stdout).toMatch(/warning {2}own\.cedar: open: permits in every tenant/)
    const { stdout: json } = await mayfly(['--json', 'policy', 'check', policies()])
    expect(JSON.parse(json)).toMatchObject({ ok: true, warnings: [{ path: 'own.cedar: open' }] })
  })

  it('refuses what start-up would refuse, and tells those who look for the purpose', async () => {
    write(
      'own.cedar',
      `@id("a") permit(principal, action == Mayfly::Action::"openTask", resource)
       when { context.purpose == "backup" };`,
    )
    const { code, stdout } = await mayfly(['policy', 'check', policies()])
    expect(code).toBe(1)
    expect(stdout).toMatch(/own\.cedar: a: .*the agent’s own text/)
    expect((await mayfly(['policy', 'check', join(dir, 'nowhere')])).code).toBe(1)
  })
})

describe('policy test', () => {
  it('is green on what init wrote, for the directory and for the file', async () => {
    for (const path of [policies(), join(policies(), 'starter.test.yaml')]) {
      const { code, stdout } = await mayfly(['policy', 'test', path])
      expect([code, stdout]).toEqual([0, expect.stringMatching(/\d\d expectations met/)])
    }
  })

  it('says what came out differently, by whom, and what the closest policy lacked', async () => {
    const file = join(policies(), 'credentials.cedar')
    writeFileSync(file, readFileSync(file, 'utf8').replace('level == "LOW"', 'level == "MEDIUM"'))
    const { code, stdout } = await mayfly(['policy', 'test', policies()])
    expect(code).toBe(1)
    expect(stdout).toContain('FAIL  low impact is permitted at LOW risk')
    expect(stdout).toContain('- permit by low-impact')
    expect(stdout).toContain('+ deny by no policy')
    expect(stdout).toMatch(/"low-impact" lacks .*context\.risk\.level == "MEDIUM"/)
    expect(stdout).toMatch(/of \d\d expectations not met/)
    const { stdout: json } = await mayfly(['--json', 'policy', 'test', policies()])
    expect(JSON.parse(json).ok).toBe(false)
  })

  it('is red where the outcome is right for another reason', async () => {
    write(
      'own.test.yaml',
      `tests:
  - name: permitted by somebody else
    agent: { tenant: support }
    entitlement: { tenants: [support] }
    expect: permit
    by: [other]
`,
    )
    const { code, stdout } = await mayfly(['policy', 'test', join(policies(), 'own.test.yaml')])
    expect([code, stdout]).toEqual([1, expect.stringContaining('+ permit by low-impact')])
  })

  it('refuses a file it does not understand, with the place', async () => {
    write(
      'own.test.yaml',
      `tests:
  - { name: a, expect: permit, agent: { tenant: support }, entitlement: {}, impact: [x] }
  - { name: b, expect: maybe }
  - { name: c, expect: deny, entitlement: { zone: internal } }
`,
    )
    const { code, stdout } = await mayfly(['policy', 'test', policies()])
    expect(code).toBe(1)
    expect(stdout).toMatch(/own\.test\.yaml: tests\[0\]\.impact: unknown field/)
    expect(stdout).toMatch(/tests\[1\]\.expect/)
    expect(stdout).toMatch(/tests\[2\]\.agent/)
  })

  it('decides by other policies where told to', async () => {
    const empty = join(dir, 'empty')
    await mayfly(['init', empty])
    writeFileSync(
      join(empty, 'policies', 'no.cedar'),
      '@id("no") forbid(principal, action, resource);',
    )
    const args = ['policy', 'test', policies(), '--policies', join(empty, 'policies')]
    expect((await mayfly(args)).code).toBe(1)
  })
})
