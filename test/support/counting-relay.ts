/** A way to a port of this machine that counts what goes through: the wire's bytes, as nobody at either end counts them. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CountingRelay extends AsyncDisposable {
  readonly port: number
  readonly fromClient: number
  readonly fromServer: number
}

/**
 * Bytes and FINs pass both ways; a connection that breaks on one side is closed on the other.
 *
 * @param host where it listens; what it leads to is on 127.0.0.1
 * @param port a free one unless it is said
 */
export async function startCountingRelay(toPort: number, host = '127.0.0.1', port = 0): Promise<CountingRelay> {
  const counts = { fromClient: 0, fromServer: 0 }
  const open = new Set<Socket>()
  const relay = createServer({ allowHalfOpen: true }, client => {
    const server = connect({ port: toPort, host: '127.0.0.1', allowHalfOpen: true })
    client.on('data', ({ length }) => {
      counts.fromClient += length
    })
    server.on('data', ({ length }) => {
      counts.fromServer += length
    })
    client.pipe(server).pipe(client)
    for (const socket of [client, server]) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
    }
    client.on('error', () => server.destroy())
    server.on('error', () => client.destroy())
  })
  relay.listen(port, host)
  await once(relay, 'listening')
  const address = relay.address() as AddressInfo
  return {
    port: address.port,
    get fromClient() {
      return counts.fromClient
    },
    get fromServer() {
      return counts.fromServer
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      relay.close()
      await once(relay, 'close')
    },
  }
}
