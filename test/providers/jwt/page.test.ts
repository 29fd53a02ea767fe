import { readFileSync } from 'node:fs'
import { decodeJwt } from 'jose'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { jwt } from '../../../providers/jwt/index.ts'
import { testApi } from '../../fixture/http.ts'
import { FORM } from '../../fixture/own-api.ts'

const page = readFileSync(new URL('../../../docs/access-tokens.md', import.meta.url), 'utf8')

it('what the page configures and asks for gives the token it promises', async () => {
  const [, yaml = ''] = /```yaml\n([\s\S]+?)```/.exec(page) ?? []
  const { providers, entitlements, resource_servers } = parse(yaml.replace('…', 'a'.repeat(64)))
  const api = await testApi({
    providers: [jwt],
    change: (doc) => {
      Object.assign(doc.providers, providers)
      doc.entitlements.push(...entitlements)
      doc.resource_servers = resource_servers
    },
  })
  const fields = [...page.matchAll(/(?:-d|--data-urlencode) ["']?(\w+)=([^'\n]*?)["']?(?= |\n)/g)]
  const details = /'authorization_details=([^']+)'/.exec(page)?.[1] ?? ''
  const form = new URLSearchParams({
    ...Object.fromEntries(fields.map(([, name = '', value = '']) => [name, value])),
    subject_token: await api.evidence(),
    authorization_details: details,
  })
  const answer = await api.call('POST /oauth2/token', { headers: FORM, body: form.toString() })
  expect(answer.status, answer.text).toBe(200)
  expect(decodeJwt(answer.body.access_token).authorization_details).toEqual(JSON.parse(details))
})
