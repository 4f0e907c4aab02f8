/** A way to a port of this machine that counts what goes through: the wire's bytes, as nobody at either end counts them. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

export interface CountingRelay extends AsyncDisposable {
  readonly port: number
  readonly fromClient: number
  readonly fromServer: number
}

/** Bytes and FINs pass both ways; a connection that breaks on one side is closed on the other. */
export async function startCountingRelay(toPort: number): Promise<CountingRelay> {
  const counts = { fromClient: 0, fromServer: 0 }
  const relay = createServer({ allowHalfOpen: true }, client => {
    const server = connect({ port: toPort, host: '127.0.0.1', allowHalfOpen: true })
    client.on('data', ({ length }) => {
      counts.fromClient += length
    })
    server.on('data', ({ length }) => {
      counts.fromServer += length
    })
    client.pipe(server).pipe(client)
    client.on('error', () => server.destroy())
    server.on('error', () => client.destroy())
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const { port } = relay.address() as AddressInfo
  return {
    port,
    get fromClient() {
      return counts.fromClient
    },
    get fromServer() {
      return counts.fromServer
    },
    async [Symbol.asyncDispose]() {
      relay.close()
      await once(relay, 'close')
    },
  }
}
