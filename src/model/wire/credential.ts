/** The secret part: sent once, in one answer, stored nowhere. */
export type CredentialWire =
  | {
      type: 'aws'
      access_key_id: string
      secret_access_key: string
      session_token: string
      region: string
      expires_at: string
    }
  | {
      type: 'vault'
      address: string
      namespace?: string
      token?: string
      data?: Record<string, unknown>
      expires_at: string
    }
  | { type: 'gcp'; access_token: string; service_account: string; expires_at: string }
  | {
      type: 'jwt'
      access_token: string
      token_type: 'Bearer' | 'DPoP'
      scope?: string
      expires_at: string
    }
  | { type: string; expires_at: string; [field: string]: unknown }
