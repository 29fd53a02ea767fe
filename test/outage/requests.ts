import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { ClientRequest } from 'node:http'

const CREATED = 'http.client.request.created'

/** The requests that the clients of this process have under way, whichever client sends them. */
export class Requests {
  underWay = 0
  made = 0

  constructor() {
    subscribe(CREATED, this.#made)
  }

  close(): void {
    unsubscribe(CREATED, this.#made)
  }

  readonly #made = (message: unknown): void => {
    if (typeof message !== 'object' || message === null || !('request' in message)) return
    if (!(message.request instanceof ClientRequest)) return
    this.underWay += 1
    this.made += 1
    message.request.once('close', () => {
      this.underWay -= 1
    })
  }
}
