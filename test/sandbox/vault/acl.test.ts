import { describe, expect, it } from 'vitest'
import { aclOf } from './acl.ts'
import type { Operation } from './exchange.ts'
import { parsePolicy } from './policy-document.ts'

/** Each case is one of Vault's documented priority rules: the wanted stanza alone grants update. */
describe('the sandbox’s ACL picks the stanza Vault would', () => {
  it.each([
    ['foo/bar', ['foo/bar', 'foo/*', 'foo/+', '+/bar']],
    ['foo/bar/x', ['foo/bar/*', 'foo/*', 'foo/b*']],
    ['foo/ab', ['foo/a*', 'foo/+']],
    ['foo/bar/x/baz', ['foo/bar/+/baz', 'foo/+/bar/baz', 'foo/+/x/baz']],
    ['foo/bar/bar', ['foo/+/bar', 'foo/+/ba*']],
    ['foo/bar', ['foo/+', 'foo/*']],
    ['foo/bar/b/baz', ['foo/bar/+/baz', 'foo/+/+/baz']],
    ['foo/a/bar/bazz', ['foo/+/bar/ba*', 'foo/+/bar/b*']],
  ])('for %s out of %j', (path, [wanted = '', ...others]) => {
    const policy = [stanza(wanted, 'update'), ...others.map((o) => stanza(o, 'read'))].join('\n')
    const acl = aclOf([parsePolicy(policy)])
    const alone = others.filter((other) => can(aclOf([parsePolicy(stanza(other, 'read'))]), path))
    expect(can(acl, path, 'update')).toBe(true)
    expect(can(acl, path, 'read')).toBe(false)
    expect(alone.length).toBeGreaterThan(0)
  })

  it('lets deny win over everything merged into the same path', () => {
    const acl = aclOf([parsePolicy(stanza('a/b', 'read')), parsePolicy(stanza('a/b', 'deny'))])
    expect(can(acl, 'a/b')).toBe(false)
    expect(acl.capabilities('a/b')).toEqual(['deny'])
  })

  it('judges a listing also by the path without its slash', () => {
    expect(can(aclOf([parsePolicy(stanza('a/b', 'list'))]), 'a/b/', 'list')).toBe(true)
    expect(can(aclOf([parsePolicy(stanza('a/+', 'list'))]), 'a/b/', 'list')).toBe(true)
    expect(can(aclOf([parsePolicy(stanza('a/b', 'read'))]), 'a/b/', 'read')).toBe(false)
  })

  it('checks parameters where there are any', () => {
    const acl = aclOf([
      parsePolicy(`path "a" {
        capabilities = ["update"]
        allowed_parameters = { "mode" = ["x", "pre*"] "free" = [] }
        denied_parameters = { "free" = ["bad"] }
        required_parameters = ["mode"]
      } # the end`),
    ])
    const update = (data: Record<string, unknown>) =>
      acl.allows({ operation: 'update', path: 'a', data })
    expect(update({ mode: 'x' })).toBe(true)
    expect(update({ mode: 'prefixed', free: 'good' })).toBe(true)
    expect(update({ mode: 'x', free: 'bad' })).toBe(false)
    expect(update({ mode: 'y' })).toBe(false)
    expect(update({ mode: 'x', other: 1 })).toBe(false)
    expect(update({})).toBe(false)
  })
})

function stanza(path: string, capability: string): string {
  return `path "${path}" { capabilities = ["${capability}"] }`
}

function can(acl: ReturnType<typeof aclOf>, path: string, operation: Operation = 'read'): boolean {
  return acl.allows({ operation, path, data: {} })
}
