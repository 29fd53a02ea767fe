import { connect, createServer, type Server, type Socket } from 'node:net'

/** The way to an upstream: cut, it refuses connections as a host that is down does. */
export class Wire {
  readonly url: string
  readonly #port: number
  readonly #upstreamPort: number
  #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, ports: { own: number; upstream: number }) {
    this.#server = server
    this.#port = ports.own
    this.#upstreamPort = ports.upstream
    this.url = `http://127.0.0.1:${ports.own}`
  }

  static async to(upstream: string): Promise<Wire> {
    const server = createServer()
    const own = await listen(server, 0)
    await new Promise((resolve) => server.close(resolve))
    const wire = new Wire(server, { own, upstream: Number(new URL(upstream).port) })
    await wire.mend()
    return wire
  }

  async mend(): Promise<void> {
    this.#server = createServer((socket) => this.#pass(socket))
    await listen(this.#server, this.#port)
  }

  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #pass(socket: Socket): void {
    const upstream = connect(this.#upstreamPort, '127.0.0.1')
    for (const one of [socket, upstream]) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        this.#sockets.delete(one)
        socket.destroy()
        upstream.destroy()
      })
    }
    socket.pipe(upstream).pipe(socket)
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      if (typeof address !== 'object' || address === null) reject(new Error('no address'))
      else resolve(address.port)
    })
  })
}
