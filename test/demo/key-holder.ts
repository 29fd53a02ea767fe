import * as dpop from 'dpop'
import { type ApiClient, apiClient } from '../../src/client/http.ts'
import { PUBLIC_URL } from './configuration.ts'

/** A program with a key of its own, which it shows with a DPoP library (RFC 9449). */
export class KeyHolder {
  readonly #url: string
  readonly #keys: dpop.KeyPair
  #nonce: string | undefined

  private constructor(url: string, keys: dpop.KeyPair) {
    this.#url = url
    this.#keys = keys
  }

  static async at(url: string): Promise<KeyHolder> {
    return new KeyHolder(url, await dpop.generateKeyPair('ES256'))
  }

  /** The API as whoever bears `token` and holds the key. */
  as(token: string): ApiClient {
    return apiClient({
      url: this.#url,
      fetch: async (url, init) => {
        const first = await this.#send(url, init, token)
        const asks = first.headers.get('www-authenticate')?.includes('use_dpop_nonce')
        return asks ? await this.#send(url, init, token) : first
      },
    })
  }

  async #send(url: string, init: RequestInit, token: string): Promise<Response> {
    const htu = `${PUBLIC_URL}${new URL(url).pathname}`
    const method = init.method ?? 'GET'
    const proof = await dpop.generateProof(this.#keys, htu, method, this.#nonce, token)
    const headers = new Headers(init.headers)
    headers.set('authorization', `DPoP ${token}`)
    headers.set('dpop', proof)
    const response = await fetch(url, { ...init, headers })
    this.#nonce = response.headers.get('dpop-nonce') ?? this.#nonce
    return response
  }
}
