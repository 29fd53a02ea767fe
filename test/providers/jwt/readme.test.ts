import { readFileSync } from 'node:fs'
import { decodeJwt } from 'jose'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { jwt } from '../../../providers/jwt/index.ts'
import { testApi } from '../../fixture/http.ts'
import { FORM } from '../../fixture/own-api.ts'

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
const section = readme.split('\n## Access tokens for your own APIs')[1]?.split('\n## ')[0] ?? ''

it('what the README configures and asks for gives the token it promises', async () => {
  const [, yaml = ''] = /```yaml\n([\s\S]+?)```/.exec(section) ?? []
  const { providers, entitlements, resource_servers } = parse(yaml.replace('…', 'a'.repeat(64)))
  const api = await testApi({
    providers: [jwt],
    change: (doc) => {
      Object.assign(doc.providers, providers)
      doc.entitlements.push(...entitlements)
      doc.resource_servers = resource_servers
    },
  })
  const fields = [
    ...section.matchAll(/(?:-d|--data-urlencode) ["']?(\w+)=([^'\n]*?)["']?(?= |\n)/g),
  ]
  const details = /'authorization_details=([^']+)'/.exec(section)?.[1] ?? ''
  const form = new URLSearchParams({
    ...Object.fromEntries(fields.map(([, name = '', value = '']) => [name, value])),
    subject_token: await api.evidence(),
    authorization_details: details,
  })
  const answer = await api.call('POST /oauth2/token', { headers: FORM, body: form.toString() })
  expect(answer.status, answer.text).toBe(200)
  expect(decodeJwt(answer.body.access_token).authorization_details).toEqual(JSON.parse(details))
})
