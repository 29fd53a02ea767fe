import { format, inspect } from 'node:util'
import pino from 'pino'
import { expect, it } from 'vitest'
import { Secret } from '../src/secret.ts'

const VALUE = 'canary-hunter2'
const secret = new Secret(VALUE)

it.each([
  ['a template', () => `${secret}`],
  ['concatenation', () => 'token '.concat(String(secret))],
  ['JSON', () => JSON.stringify({ secret, list: [secret] })],
  ['inspect', () => inspect({ deep: { secret } }, { depth: 10, showHidden: true })],
  ['format', () => format('%s %o %j %O', secret, secret, secret, secret)],
  ['an error', () => String(new Error(`failed with ${secret}`, { cause: secret }).stack)],
  ['entries', () => JSON.stringify([Object.entries(secret), { ...secret }])],
  ['structuredClone', () => inspect(structuredClone(secret))],
])('P2: %s does not print a secret', (_how, print) => {
  expect(print()).not.toContain('hunter2')
})

it('P2: a log line does not contain it', () => {
  const lines: string[] = []
  const log = pino({}, { write: (line) => lines.push(line) })
  log.info({ secret, nested: { secret } }, 'with %s', secret)
  expect(lines.join()).toContain('[redacted]')
  expect(lines.join()).not.toContain('hunter2')
})

it('is revealed only by asking', () => {
  expect(secret.reveal()).toBe(VALUE)
})
