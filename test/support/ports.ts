/** Ports on loopback. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** Listens until it is disposed of; who connects is counted, and greeted with `speak`. */
export async function listen(speak: (socket: Socket) => void = () => undefined, port = 0) {
  const sockets = new Set<Socket>()
  let count = 0
  const server: Server = createServer(socket => {
    count += 1
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    speak(socket)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => count,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

/** One that the kernel has just given and taken back: nobody listens there. */
export async function shutPort(): Promise<number> {
  const { port, [Symbol.asyncDispose]: close } = await listen()
  await close()
  return port
}
