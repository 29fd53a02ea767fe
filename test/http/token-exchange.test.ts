import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import type { Api } from '../fixture/http.ts'
import { KeyHolder } from '../fixture/key-holder.ts'
import {
  BILLS,
  basic,
  FORM,
  introspected,
  OFFLINE,
  ownApi,
  READ_BILL,
  READ_TICKET,
  TICKETS,
  tokenOf,
} from '../fixture/own-api.ts'

const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const DELEGATION = 'urn:mayfly:token-type:delegation'

type Fields = Record<string, string | undefined>

/** One exchange of evidence, laid over; a field that is undefined is left out. */
async function exchange(api: Api, overlay: Fields = {}, headers: Record<string, string> = {}) {
  return await api.call('POST /oauth2/token', {
    headers: { ...FORM, ...headers },
    body: await formOf(api, overlay),
  })
}

async function formOf(api: Api, overlay: Fields): Promise<string> {
  const fields: Fields = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: 'subject_token' in overlay ? undefined : await api.evidence(),
    subject_token_type: JWT,
    authorization_details: JSON.stringify([READ_TICKET]),
    ...overlay,
  }
  const present = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as [string, string]],
  )
  return new URLSearchParams(present).toString()
}

/** Status and name of a refusal. */
async function refused(api: Api, overlay: Fields): Promise<string> {
  const { status, body } = await exchange(api, overlay)
  return `${status} ${body.error}`
}

async function openTasks(api: Api): Promise<number> {
  return (await api.as('admin', 'GET /v1/tasks?state=open')).body.items.length
}

describe('evidence for an access token', () => {
  it('leaves no task and no lease behind when its client is gone before the answer', async () => {
    const api = await ownApi()
    const body = await formOf(api, {})
    const gone = { method: 'POST', headers: FORM, body, signal: AbortSignal.abort() }
    const answer = await api.app.request('/oauth2/token', gone)
    expect(answer.status).not.toBe(200)
    expect(await openTasks(api)).toBe(0)
    const leases = (await api.as('admin', 'GET /v1/leases')).body.items
    expect(leases).toMatchObject([{ state: expect.stringMatching(/^end(ing|ed)$/) }])
  })

  it('opens a task that lasts as long as its token, decided as over the API', async () => {
    const api = await ownApi()
    const { status, body, headers } = await exchange(api)
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body).toEqual({
      access_token: expect.any(String),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: 300,
      authorization_details: [READ_TICKET],
      lease_id: expect.any(String),
      task_id: expect.any(String),
      task_token: expect.stringMatching(/^mft_/),
    })
    expect(decodeJwt(body.access_token)).toMatchObject({
      aud: TICKETS,
      client_id: 'summariser',
      authorization_details: [READ_TICKET],
    })
    const decisions = (await api.as('admin', 'GET /v1/decisions')).body.items
    expect(
      decisions.map(({ action, outcome }: Fields) => `${action} ${outcome}`).toSorted(),
    ).toEqual(['openTask permit', 'requestCredential permit'])
    const task = (await api.as('admin', `GET /v1/tasks/${body.task_id}`)).body
    expect(task).toMatchObject({ state: 'open', purpose: 'token exchange for tickets-api' })
    const lasts = Date.parse(task.deadline) - Date.parse(task.created_at)
    expect(lasts).toBe(310_000)
    const ended = await api.call(`POST /v1/tasks/${body.task_id}/end`, {
      token: body.task_token,
      body: {},
    })
    expect(ended.status).toBe(200)
    expect((await introspected(api, body.access_token)).body).toEqual({ active: false })
  })

  it.each<[string, Fields]>([
    ['its audience', { audience: TICKETS }],
    ['its resource', { resource: TICKETS }],
    ['both', { audience: TICKETS, resource: TICKETS }],
  ])('an entitlement can be meant by %s', async (_, overlay) => {
    const api = await ownApi()
    const { identifier: _left, ...detail } = READ_TICKET
    const details = JSON.stringify([detail])
    const { body } = await exchange(api, { ...overlay, authorization_details: details })
    expect(body.authorization_details).toEqual([READ_TICKET])
  })

  it('a scope asks for actions on the whole API', async () => {
    const api = await ownApi()
    const whole = { authorization_details: undefined, audience: TICKETS }
    const { body } = await exchange(api, { ...whole, scope: 'tickets:comment' })
    expect(body).toMatchObject({
      scope: 'tickets:comment',
      authorization_details: [{ ...READ_TICKET, actions: ['tickets:comment'], locations: ['*'] }],
    })
    expect(await refused(api, { ...whole, scope: 'tickets:delete' })).toBe(
      '400 invalid_authorization_details',
    )
  })

  it('a task that was opened in vain ends', async () => {
    const api = await ownApi()
    const everything = { ...READ_TICKET, locations: ['*'] } // bulk-read: not without an approval
    const details = JSON.stringify([everything])
    expect(await refused(api, { authorization_details: details })).toBe('400 access_denied')
    expect(await openTasks(api)).toBe(0)
    const [task] = (await api.as('admin', 'GET /v1/tasks')).body.items
    expect(task).toMatchObject({ state: 'ended', outcome: 'failed' })
  })

  it('P9: evidence good for one use is good for one exchange', async () => {
    const api = await ownApi({
      change: (doc) => {
        doc.issuers[0].one_time = true
      },
    })
    const subject_token = await api.evidence({ jti: 'once' })
    expect((await exchange(api, { subject_token })).status).toBe(200)
    expect(await refused(api, { subject_token })).toBe('400 invalid_request')
  })
})

describe('a task token for an access token', () => {
  it('is for what the task said of it, and opens nothing', async () => {
    const api = await ownApi()
    const task = await api.open({
      intent: [READ_TICKET, { ...READ_TICKET, identifier: 'offline-api' }],
    })
    const own = { subject_token: task.token, subject_token_type: ACCESS_TOKEN }
    const { body } = await exchange(api, {
      ...own,
      authorization_details: undefined,
      audience: OFFLINE,
    })
    expect(body).toMatchObject({
      task_id: task.id,
      authorization_details: [{ ...READ_TICKET, identifier: 'offline-api' }],
    })
    expect(body).not.toHaveProperty('task_token')
    expect(await openTasks(api)).toBe(1)
    const wide = JSON.stringify([{ ...READ_TICKET, locations: ['/tickets/*'] }])
    expect(await refused(api, { ...own, authorization_details: wide })).toBe(
      '400 invalid_authorization_details',
    )
    await api.call(`POST /v1/tasks/${task.id}/end`, { token: task.token, body: {} })
    expect(await refused(api, own)).toBe('400 invalid_request')
  })

  it('P10: of a bound task needs its key, and gives a token of that key', async () => {
    const api = await ownApi()
    const [holder, thief] = [await KeyHolder.of(api), await KeyHolder.of(api)]
    const task = await holder.open({ intent: [READ_TICKET] })
    const own = { subject_token: task.token, subject_token_type: ACCESS_TOKEN }
    const body = await formOf(api, own)
    const as = async (who: KeyHolder, overlay: object = {}) => {
      await who.learnNonce()
      const claims = { ath: undefined, ...overlay }
      const proof = await who.proof('POST /oauth2/token', task.token, { claims })
      return await api.call('POST /oauth2/token', { headers: { ...FORM, dpop: proof }, body })
    }
    const answer = await as(holder)
    expect(answer.body.token_type).toBe('DPoP')
    expect(decodeJwt(answer.body.access_token).cnf).toEqual({ jkt: holder.thumbprint })
    expect((await as(holder, { ath: 'of another token' })).body.error).toBe('invalid_dpop_proof')
    expect((await as(holder, { nonce: undefined })).body.error).toBe('use_dpop_nonce')
    expect((await as(holder, { htu: 'http://127.0.0.1:8700/v1/tasks' })).status).toBe(400)
    expect((await as(thief)).body.error).toBe('invalid_request')
    expect(await refused(api, own)).toBe('400 invalid_request')
    const [signal] = (await api.as('admin', 'GET /v1/risk')).body.items
    expect(signal).toMatchObject({ level: 'MEDIUM' })
  })

  it('what waits for a person is pending, and granted when asked again', async () => {
    const api = await ownApi()
    const holder = await KeyHolder.of(api)
    const everything = { ...READ_TICKET, locations: ['*'] }
    const task = await holder.open({ intent: [everything] })
    const body = await formOf(api, {
      subject_token: task.token,
      subject_token_type: ACCESS_TOKEN,
      authorization_details: JSON.stringify([everything]),
    })
    const ask = async () => {
      await holder.learnNonce()
      const overlay = { claims: { ath: undefined } }
      const dpop = await holder.proof('POST /oauth2/token', task.token, overlay)
      return await api.call('POST /oauth2/token', { headers: { ...FORM, dpop }, body })
    }
    const pending = await ask()
    expect(`${pending.status} ${pending.body.error}`).toBe('400 authorization_pending')
    const [approval] = (await api.as('admin', 'GET /v1/approvals')).body.items
    await api.as('admin', `POST /v1/approvals/${approval.id}/approve`, {})
    expect((await ask()).body).toMatchObject({ scope: 'tickets:read', token_type: 'DPoP' })
  })

  it('but not for evidence, which would open another task each time', async () => {
    const api = await ownApi()
    const holder = await KeyHolder.of(api)
    const subject_token = await api.evidence()
    await holder.learnNonce()
    const overlay = { claims: { ath: undefined } }
    const dpop = await holder.proof('POST /oauth2/token', subject_token, overlay)
    const details = JSON.stringify([{ ...READ_TICKET, locations: ['*'] }])
    const asked = { subject_token, authorization_details: details }
    const { body } = await exchange(api, asked, { dpop })
    expect(body).toMatchObject({
      error: 'access_denied',
      error_description: expect.stringContaining('open a task'),
    })
    expect(await openTasks(api)).toBe(0)
    const [approval] = (await api.as('admin', 'GET /v1/approvals')).body.items
    expect(approval.state).not.toBe('pending')
  })
})

it('P4: a delegation is exchanged by its executor, and the token says on whose behalf', async () => {
  const api = await ownApi({
    change: (doc) => {
      doc.agents.push({
        ...doc.agents[0],
        id: 'reader',
        match: { issuer: 'corp', claims: { sub: 'reader' } },
      })
    },
  })
  const planner = await api.open({ intent: [{ ...READ_TICKET, locations: ['/tickets/*'] }] })
  const delegated = await api.call(`POST /v1/tasks/${planner.id}/delegations`, {
    token: planner.token,
    body: { agent: 'reader', intent: [READ_TICKET] },
  })
  const own = async (sub: string) => ({
    subject_token: delegated.body.token,
    subject_token_type: DELEGATION,
    actor_token: await api.evidence({ sub }),
    actor_token_type: JWT,
  })
  expect(await refused(api, await own('robot'))).toBe('400 invalid_target')
  const wide = JSON.stringify([{ ...READ_TICKET, locations: ['/tickets/*'] }])
  expect(await refused(api, { ...(await own('reader')), authorization_details: wide })).toBe(
    '400 invalid_authorization_details',
  )
  const { body } = await exchange(api, await own('reader'))
  const claims = decodeJwt(body.access_token)
  expect(claims).toMatchObject({ sub: 'summariser', client_id: 'reader', act: { sub: 'reader' } })
  expect((await introspected(api, body.access_token)).body).toMatchObject({
    sub: 'summariser',
    act: { sub: 'reader' },
  })
  expect(await refused(api, await own('reader'))).toBe('400 invalid_target') // it was for one use
  await api.call(`POST /v1/tasks/${planner.id}/end`, { token: planner.token, body: {} })
  expect((await introspected(api, body.access_token)).body).toEqual({ active: false })
})

describe('P3: what cannot be read or is not good is refused in the words of the RFC', () => {
  it.each<[string, Fields, string]>([
    ['another grant', { grant_type: 'password' }, 'unsupported_grant_type'],
    ['no grant', { grant_type: undefined }, 'invalid_request'],
    ['no subject', { subject_token: '' }, 'invalid_request'],
    ['a kind of subject nobody knows', { subject_token_type: 'urn:x' }, 'invalid_request'],
    ['evidence that is none', { subject_token: 'e.y.J' }, 'invalid_request'],
    ['another client', { client_id: 'biller' }, 'invalid_request'],
    ['a SAML assertion wanted', { requested_token_type: 'urn:x:saml2' }, 'invalid_request'],
    [
      'an actor nobody delegated to',
      { actor_token: 'x', actor_token_type: JWT },
      'invalid_request',
    ],
    ['an actor without a kind', { actor_token: 'x' }, 'invalid_request'],
    ['a delegation without an actor', { subject_token_type: DELEGATION }, 'invalid_request'],
    ['details that are no JSON', { authorization_details: '{' }, 'invalid_authorization_details'],
    ['details that are no list', { authorization_details: '{}' }, 'invalid_authorization_details'],
    ['an empty list', { authorization_details: '[]' }, 'invalid_authorization_details'],
    [
      'an unknown type',
      { authorization_details: JSON.stringify([{ ...READ_TICKET, type: 'x' }]) },
      'invalid_authorization_details',
    ],
    [
      'an unknown field',
      { authorization_details: JSON.stringify([{ ...READ_TICKET, privileges: [] }]) },
      'invalid_authorization_details',
    ],
    [
      'a key twice',
      {
        authorization_details:
          '[{"type":"api","identifier":"tickets-api","actions":["x"],"actions":["tickets:read"],"locations":["/tickets/1"]}]',
      },
      'invalid_authorization_details',
    ],
    [
      'a constraint that would be dropped',
      {
        authorization_details:
          '[{"type":"api","identifier":"tickets-api","actions":["tickets:read"],"locations":["/tickets/1"],"__proto__":{"x":["y"]}}]',
      },
      'invalid_authorization_details',
    ],
    [
      'neither details nor scope',
      { authorization_details: undefined, audience: TICKETS },
      'invalid_request',
    ],
    ['nobody in particular', { authorization_details: undefined, scope: 'x' }, 'invalid_target'],
    ['an audience beside', { audience: OFFLINE }, 'invalid_target'],
    [
      'an entitlement that gives no access tokens',
      { authorization_details: JSON.stringify([{ ...READ_TICKET, identifier: 'tickets-read' }]) },
      'invalid_target',
    ],
  ])('%s', async (_, overlay, expected) => {
    const api = await ownApi()
    expect(await refused(api, overlay)).toBe(`400 ${expected}`)
    expect(await openTasks(api)).toBe(0)
    expect((await api.as('admin', 'GET /v1/leases')).body.items).toEqual([])
  })

  it('a secret that would prove nothing', async () => {
    const api = await ownApi()
    expect(await refused(api, { client_secret: 'x' })).toBe('400 invalid_request')
    const { status } = await exchange(api, {}, { authorization: basic('tickets-api') })
    expect(status).toBe(400)
    expect(await openTasks(api)).toBe(0)
  })

  it('a body that is no form', async () => {
    const api = await ownApi()
    const send = async (type: string, body: string) =>
      (await api.call('POST /oauth2/token', { headers: { 'content-type': type }, body })).status
    expect(await send('application/json', '{}')).toBe(415)
    expect(await send(FORM['content-type'], `a=${'x'.repeat(70_000)}`)).toBe(413)
    expect(await send(FORM['content-type'], 'a=%zz')).toBe(400)
    expect((await api.call('GET /oauth2/token')).status).toBe(405)
  })
})

describe('P11: at the standard door foreign is unknown', () => {
  it('an entitlement or audience of another tenant', async () => {
    const api = await ownApi()
    const details = (item: object) => ({ authorization_details: JSON.stringify([item]) })
    const answers = await Promise.all(
      [
        details(READ_BILL),
        details({ ...READ_BILL, identifier: 'nothing' }),
        { audience: BILLS, authorization_details: undefined, scope: 'bills:read' },
        {
          audience: 'https://nobody.example',
          authorization_details: undefined,
          scope: 'bills:read',
        },
      ].map(async (overlay) => (await exchange(api, overlay)).text),
    )
    expect(new Set(answers).size).toBe(1)
    expect(answers[0]).toContain('invalid_target')
  })

  it('a token of another tenant is not revoked, and the answer does not tell', async () => {
    const api = await ownApi()
    const { task, token } = await tokenOf(api)
    const biller = await api.open({ intent: [READ_BILL] }, { sub: 'biller' })
    const sibling = await api.open({ intent: [READ_TICKET] })
    const revoke = async (authorization: string | undefined, text: string) =>
      await api.call('POST /oauth2/revoke', {
        headers: { ...FORM, ...(authorization && { authorization }) },
        body: new URLSearchParams({ token: text }).toString(),
      })
    for (const foreign of [
      `Bearer ${biller.token}`,
      `Bearer ${sibling.token}`,
      basic('bills-api'),
      basic('bills-of-support'),
      basic('tickets-of-billing'),
    ]) {
      const [tried, unknown] = [await revoke(foreign, token), await revoke(foreign, 'never was')]
      expect([tried.status, tried.text]).toEqual([unknown.status, unknown.text])
      expect(tried.status).toBe(200)
      expect((await introspected(api, token)).body.active).toBe(true)
    }
    for (const nobody of [undefined, basic('tickets-api', 'x'), `Bearer ${api.operators.admin}`]) {
      const { status, body } = await revoke(nobody, token)
      expect(`${status} ${body.error}`).toBe('401 invalid_client')
    }
    expect((await introspected(api, token)).body.active).toBe(true)
    expect((await revoke(`Bearer ${task.token}`, token)).status).toBe(200)
    expect((await introspected(api, token)).body).toEqual({ active: false })
  })

  it('the audit log names the resource server that took a token back', async () => {
    const api = await ownApi()
    const { token, lease } = await tokenOf(api)
    await api.call('POST /oauth2/revoke', {
      headers: { ...FORM, authorization: basic('tickets-api') },
      body: new URLSearchParams({ token }).toString(),
    })
    const events = (await api.as('admin', 'GET /v1/audit')).body.items
    const ending = events.find(({ type }: { type: string }) => type === 'lease.ending')
    expect(ending).toMatchObject({ actor: 'resource-server:tickets-api', lease })
  })
})

it('P2: neither log nor database holds a token that was exchanged, shown or asked about', async () => {
  const { readFileSync, readdirSync } = await import('node:fs')
  const { join } = await import('node:path')
  const api = await ownApi()
  const { body } = await exchange(api)
  await introspected(api, body.access_token)
  await exchange(api, { subject_token: body.access_token })
  await api.call('POST /oauth2/revoke', {
    headers: { ...FORM, authorization: `Bearer ${body.task_token}` },
    body: new URLSearchParams({ token: body.access_token }).toString(),
  })
  const logged = JSON.stringify(api.logged)
  const files = readdirSync(api.dir).filter((name) => name.startsWith('mayfly.db'))
  const stored = files.map((name) => readFileSync(join(api.dir, name), 'latin1')).join()
  for (const secret of [body.access_token, body.task_token, body.access_token.split('.')[2]]) {
    expect(logged).not.toContain(secret)
    expect(stored).not.toContain(secret)
  }
})
