/** A TLS server that says over MQTT what a test tells it to, and keeps every byte that a client trusted it with. */
import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type SecureVersion, type TLSSocket } from 'node:tls'
import mqtt, { type Packet } from 'mqtt-packet'
import type { KeyPair } from '../hub/certificates.js'

export interface ScriptedServer extends AsyncDisposable {
  readonly port: number
  /** What clients sent, decrypted. */
  readonly received: Buffer
  /** Resolves when so many connections have come and gone. */
  connectionsClosed(count: number): Promise<void>
  /** To every client that is connected. */
  send(packet: Packet): void
}

export type Script = Readonly<{
  certificate: KeyPair
  /** IoT Hub's is the default. */
  version?: SecureVersion
  /** Answers each packet; default: CONNACK 0 and SUBACK, nothing else. */
  answer?: (packet: Packet) => Packet | null
}>

const obliging = (packet: Packet): Packet | null => {
  if (packet.cmd === 'connect') return { cmd: 'connack', returnCode: 0, sessionPresent: false }
  if (packet.cmd === 'subscribe') return { cmd: 'suback', granted: [0], ...idOf(packet) }
  return null
}
const idOf = ({ messageId }: Packet) => (messageId === undefined ? {} : { messageId })

export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const { certificate, version = 'TLSv1.2', answer = obliging } = script
  const chunks: Buffer[] = []
  const open = new Set<TLSSocket>()
  const bell = new EventEmitter()
  let closed = 0
  const server = createServer({ ...certificate, minVersion: version, maxVersion: version })
  server.on('connection', socket =>
    socket.once('close', () => {
      closed += 1
      bell.emit('closed')
    }),
  )
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  server.on('secureConnection', socket => {
    open.add(socket)
    const parser = mqtt.parser({ protocolVersion: 4 })
    parser.on('packet', packet => {
      const reply = answer(packet)
      if (reply) socket.write(mqtt.generate(reply))
    })
    socket.on('data', chunk => {
      chunks.push(chunk)
      parser.parse(chunk)
    })
    socket.on('error', () => socket.destroy())
    socket.once('close', () => open.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    get received() {
      return Buffer.concat(chunks)
    },
    async connectionsClosed(count) {
      while (closed < count) await once(bell, 'closed')
    },
    send(packet) {
      for (const socket of open) socket.write(mqtt.generate(packet))
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
