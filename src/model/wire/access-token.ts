import type { IntentItemWire } from './intent.ts'

/** RFC 7662 §2.2: the claims of an access token that still counts. */
export type IntrospectionWire =
  | { active: false }
  | {
      active: true
      iss: string
      aud: string | string[]
      sub: string
      client_id: string
      tenant: string
      jti: string
      iat: number
      exp: number
      token_type: 'Bearer' | 'DPoP'
      scope?: string
      authorization_details: IntentItemWire[]
      cnf?: Record<string, string>
      act?: { sub: string; act?: object }
    }

/** RFC 8693 §2.2.1, with what belongs to the token here. */
export interface ExchangedWire {
  access_token: string
  issued_token_type: 'urn:ietf:params:oauth:token-type:access_token'
  token_type: 'Bearer' | 'DPoP'
  expires_in: number
  scope?: string
  authorization_details: IntentItemWire[]
  lease_id: string
  task_id: string
  /** Of the task that was opened for it. */
  task_token?: string
}
