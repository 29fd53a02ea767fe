import { randomUUID } from 'node:crypto'
import type { Answer } from '../faults.ts'

/** A refusal in AWS's words: code, HTTP status, message. */
export class AwsError extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, status: number, message: string) {
    super(message)
    this.code = code
    this.status = status
  }
}

export type Service = 'sts' | 'iam' | 's3'

const NAMESPACES: Record<Service, string> = {
  sts: 'https://sts.amazonaws.com/doc/2011-06-15/',
  iam: 'https://iam.amazonaws.com/doc/2010-05-08/',
  s3: 'http://s3.amazonaws.com/doc/2006-03-01/',
}

/** The answer of a query-protocol operation; `result` is ready XML. */
export function queryAnswer(service: Service, action: string, result: string): Answer {
  const body =
    `<${action}Response xmlns="${NAMESPACES[service]}"><${action}Result>${result}</${action}Result>` +
    `<ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></${action}Response>`
  return xml(200, body)
}

export function s3Answer(root: string, content: string): Answer {
  const header = '<?xml version="1.0" encoding="UTF-8"?>'
  return xml(200, `${header}<${root} xmlns="${NAMESPACES.s3}">${content}</${root}>`)
}

export function errorAnswer(service: Service, error: AwsError): Answer {
  const detail = `<Code>${escapeXml(error.code)}</Code><Message>${escapeXml(error.message)}</Message>`
  const id = `<RequestId>${randomUUID()}</RequestId>`
  if (service === 's3') return xml(error.status, `<Error>${detail}${id}</Error>`)
  const type = `<Type>${error.status < 500 ? 'Sender' : 'Receiver'}</Type>`
  const body = `<ErrorResponse xmlns="${NAMESPACES[service]}"><Error>${type}${detail}</Error>${id}</ErrorResponse>`
  return xml(error.status, body)
}

export function element(name: string, value: string | number): string {
  return `<${name}>${escapeXml(String(value))}</${name}>`
}

function xml(status: number, body: string): Answer {
  return { status, headers: { 'content-type': 'text/xml' }, body }
}

function escapeXml(text: string): string {
  return text.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`)
}
