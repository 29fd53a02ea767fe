import { decodeJwt } from 'jose'
import { expect, it } from 'vitest'
import { addOwnApis, basic, FORM, READ_TICKET } from './fixture/own-api.ts'
import { type TlsClient, tlsBroker } from './fixture/tls-broker.ts'

const BINDING = 'x5t#S256'

it('P10: a token exchanged over a client certificate is of that certificate, and ended by it', async () => {
  const broker = await tlsBroker(addOwnApis)
  await broker.start()
  const [own, foreign] = [broker.clients.issue({}), broker.clients.issue({})]
  const client = broker.client(own)
  const exchanged = await client.call('POST /oauth2/token', {
    headers: FORM,
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await broker.evidence(),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      authorization_details: JSON.stringify([READ_TICKET]),
    }).toString(),
  })
  expect(exchanged.status).toBe(200)
  const { access_token: token, token_type, task_token } = exchanged.body
  expect(token_type).toBe('Bearer')
  expect(decodeJwt(token).cnf).toEqual({ [BINDING]: own.thumbprint })

  const body = new URLSearchParams({ token }).toString()
  const asked = { headers: { ...FORM, authorization: basic('tickets-api') }, body }
  const active = async () =>
    (await broker.client().call('POST /oauth2/introspect', asked)).body.active
  const revoke = async (by: TlsClient, authorization?: string) =>
    (
      await by.call('POST /oauth2/revoke', {
        headers: { ...FORM, ...(authorization && { authorization }) },
        body,
      })
    ).status
  expect(await revoke(broker.client())).toBe(401)
  expect(await revoke(broker.client(foreign))).toBe(200)
  expect(await active()).toBe(true)
  expect(await revoke(client)).toBe(200)
  expect(await active()).toBe(false)
  expect(await revoke(broker.client(foreign), `Bearer ${task_token}`)).toBe(401)
})
