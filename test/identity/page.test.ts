import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseIdentity } from '../../src/config/identity.ts'
import { Report } from '../../src/config/report.ts'
import { Secret } from '../../src/secret.ts'
import { Authority } from '../fixture/certificates.ts'

const authority = Authority.named('corp.example')
const page = readFileSync(new URL('../../docs/identity.md', import.meta.url), 'utf8')
const snippets = [...page.matchAll(/```yaml\n([^`]+)```/g)].map(([, yaml = '']) => yaml)

describe('the identity page tells how to bring one’s own identity', () => {
  it('for every kind of issuer', () => {
    const types = snippets.map((yaml) => parse(yaml).issuers[0].type)
    const kinds = ['gcp', 'github-actions', 'kubernetes', 'oidc', 'spiffe', 'spiffe-x509']
    expect(types.toSorted()).toEqual(kinds)
  })

  it.each(snippets)('in at most ten lines that config check accepts', (yaml) => {
    expect(yaml.trimEnd().split('\n').length).toBeLessThanOrEqual(10)
    const report = new Report()
    const resolveSecret = () => new Secret(authority.pem)
    const { issuers, agents } = parseIdentity(report, parse(yaml), {
      resolveSecret,
      server: undefined,
    })
    expect([...report.problems, ...report.warnings]).toEqual([])
    expect([issuers.length, agents.length]).toEqual([1, 1])
  })
})
