/** An MQTT client that believes nothing and repairs nothing: it writes down what the wire shows, in order. */

import { connect } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import mqtt, { type Packet } from 'mqtt-packet'

export type RawClientOptions = Readonly<{
  port: number
  /** Without it the system's roots decide. */
  ca?: string
  serverName?: string
}>

export type RawClient = Readonly<{
  /**
   * `tcp`, `tls`, then a line for each packet (`connack 5`, `connack 0 session`, `suback 0`, `puback`, `pingresp`,
   * `publish TOPIC`, `disconnect`, `malformed`), for TLS's own goodbye (`closeNotify`), and for the end: `fin`, or
   * an error's code, and `closed`.
   */
  seen: readonly string[]
  /** Resolves when the line has been seen. */
  sees(line: string): Promise<void>
  send(packet: Packet): void
  /** FIN and no more. */
  close(): void
}>

/** Content type of an alert in TLS 1.2, where the type of a record can be read from outside. */
const alertRecord = 21

export function rawClient({ port, ca, serverName = 'localhost' }: RawClientOptions): RawClient {
  const seen: string[] = []
  const waiting = new Map<string, () => void>()
  const see = (line: string) => {
    seen.push(line)
    waiting.get(line)?.()
    waiting.delete(line)
  }

  let alerted = false
  let ended = false
  let secure = false
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const records = recordTypes(type => {
    if (type === alertRecord) alerted = true
  })
  // Between the socket and TLS, so that FIN and alert are seen each for itself.
  const carrier = new Duplex({
    read() {},
    write: (chunk, _encoding, done) => void socket.write(chunk, () => done()),
    final: done => void socket.end(() => done()),
  })
  socket.once('connect', () => see('tcp'))
  socket.on('data', chunk => {
    records(chunk)
    carrier.push(chunk)
  })
  socket.once('end', () => {
    ended = true
    if (!secure) {
      see('fin')
      socket.end()
    }
    carrier.push(null)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => see(error.code ?? error.message))
  socket.once('close', () => {
    see('closed')
    carrier.destroy()
  })
  carrier.on('error', () => socket.destroy())

  const tls = connectTls({ socket: carrier, servername: serverName, ...(ca === undefined ? {} : { ca }) })
  const parser = mqtt.parser({ protocolVersion: 4 })
  tls.once('secureConnect', () => {
    secure = true
    see('tls')
  })
  tls.on('error', (error: NodeJS.ErrnoException) => {
    // The socket has told its own errors already, and a FIN before TLS comes here once more, dressed as a reset.
    if (error.code !== 'ECONNRESET') see(error.code ?? error.message)
    socket.destroy()
  })
  tls.on('data', chunk => parser.parse(chunk))
  // Only now everything that came before the end has been decrypted and told.
  tls.once('end', () => {
    if (!secure) return
    if (alerted) see('closeNotify')
    if (ended) see('fin')
    else socket.once('end', () => see('fin'))
    tls.end()
  })
  parser.on('packet', packet => see(describe(packet)))
  parser.on('error', () => see('malformed'))

  return {
    seen,
    async sees(line) {
      if (seen.includes(line)) return
      await new Promise<void>(resolve => waiting.set(line, resolve))
    },
    send: packet => void tls.write(mqtt.generate(packet)),
    close: () => void socket.destroy(),
  }
}

/** Waits for TLS and says CONNECT. */
export async function connectRaw(
  client: RawClient,
  options: Readonly<{ clientId: string; username: string; password: string; clean?: boolean; keepalive?: number }>,
): Promise<void> {
  const { clientId, username, password, clean = false, keepalive = 60 } = options
  await client.sees('tls')
  client.send({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clientId,
    clean,
    keepalive,
    username,
    password: Buffer.from(password),
  })
}

function describe(packet: Packet): string {
  switch (packet.cmd) {
    case 'connack':
      return `connack ${packet.returnCode}${packet.sessionPresent ? ' session' : ''}`
    case 'suback':
      return `suback ${packet.granted.join(' ')}`
    case 'publish':
      return `publish ${packet.topic}`
    default:
      return packet.cmd
  }
}

/** Cuts a byte stream into TLS records and tells the content type of each. */
function recordTypes(tell: (type: number) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return chunk => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt16BE(3)) {
      tell(rest[0]!)
      rest = rest.subarray(5 + rest.readUInt16BE(3))
    }
  }
}
