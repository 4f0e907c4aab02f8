/** An AMQP client that believes nothing and repairs nothing: it writes down what the wire shows, in order. */

import { connect as connectTls } from 'node:tls'
import rhea, { type Connection, type EventContext, type Message, type Receiver, type Sender } from 'rhea'
import { type LinkRole, parseAddress } from '../hub/amqp-dialect.js'
import { cutFrames, type FrameError, readFrame } from '../hub/amqp-frames.js'

export type RawAmqpOptions = Readonly<{
  port: number
  ca: string
  /** What it asks the hub for in `open`. */
  idleTimeOutMs?: number
}>

export type RawAmqpClient = Readonly<{
  /**
   * `tls`; a line for each frame that the hub sends (`open`, `attach methods receiver`, `transfer methods receiver`, `heartbeat`,
   * `detach methods receiver`, `end`, `close`, the last three with a condition where there is one); `putToken 200`,
   * `accepted` and `rejected CONDITION` for messages that were sent; `fin`, or an error's code, and `closed`.
   */
  seen: readonly string[]
  /** Resolves when the line has been seen so often. */
  sees(line: string, times?: number): Promise<void>
  /** Attaches `$cbs` both ways, unless it is, and sends a token. @returns status and description */
  putToken(token: string): Promise<readonly [number, string]>
  /** `role` is the client's. */
  attach(address: string, role: LinkRole): Sender | Receiver
  connection: Connection
  /** FIN and no more. */
  close(): void
}>

export function rawAmqpClient({ port, ca, idleTimeOutMs }: RawAmqpOptions): RawAmqpClient {
  const seen: string[] = []
  const waiting = new Set<() => void>()
  const see = (line: string) => {
    seen.push(line)
    for (const look of [...waiting]) look()
  }

  const socket = connectTls({ host: '127.0.0.1', port, ca, servername: 'localhost' })
  const links = new Map<string, string>()
  const names = new Map<string, string>()
  const cut = cutFrames(bytes => {
    const said = readFrame(bytes)
    switch (said.name) {
      case 'open':
      case 'heartbeat':
        see(said.name)
        break
      case 'attach': {
        const link = names.get(said.linkName) ?? said.linkName
        links.set(said.handle, link)
        see(`attach ${link}`)
        break
      }
      case 'detach':
        see(`detach ${links.get(said.handle)}${conditionOf(said.error)}`)
        break
      case 'transfer':
        see(`transfer ${links.get(said.handle)}`)
        break
      case 'end':
      case 'close':
        see(`${said.name}${conditionOf(said.error)}`)
        break
      case 'header':
      case 'other':
        break
    }
  })
  socket.on('data', cut)
  socket.once('end', () => {
    see('fin')
    socket.end()
  })
  socket.on('error', (error: NodeJS.ErrnoException) => see(error.code ?? error.message))
  socket.once('close', () => see('closed'))

  const container = rhea.create_container({ id: 'raw' })
  container.on('error', () => {})
  const connection = container.create_connection({
    reconnect: false,
    hostname: 'localhost',
    ...(idleTimeOutMs === undefined ? {} : { idle_time_out: idleTimeOutMs }),
    connection_details: () => ({
      host: 'localhost',
      port,
      connect: (_port: number, _host: string, _options: object, connected: () => void) => {
        socket.once('secureConnect', () => {
          see('tls')
          connected()
        })
        return socket
      },
    }),
  })
  for (const known of ['disconnected', 'connection_error', 'connection_close', 'session_error', 'session_close']) {
    connection.on(known, () => {})
  }
  for (const known of ['sender_error', 'sender_close', 'receiver_error', 'receiver_close', 'error', 'protocol_error']) {
    connection.on(known, () => {})
  }
  connection.on('accepted', ({ sender }: EventContext) => {
    if (names.get(sender?.name ?? '') !== '$cbs sender') see('accepted')
  })
  connection.on('rejected', ({ delivery }: EventContext) => {
    see(`rejected ${(delivery?.remote_state as { error?: { condition: string } } | undefined)?.error?.condition}`)
  })
  connection.connect()

  const attach = (address: string, role: LinkRole): Sender | Receiver => {
    const link =
      role === 'sender'
        ? connection.open_sender({ target: { address } })
        : connection.open_receiver({ source: { address } })
    names.set(link.name, `${parseAddress(address, role)?.link ?? address} ${role}`)
    return link
  }

  let cbs: { sender: Sender; answers: Map<string, (answer: readonly [number, string]) => void> } | null = null
  const openCbs = () => {
    if (cbs) return cbs
    const answers = new Map<string, (answer: readonly [number, string]) => void>()
    const sender = attach('$cbs', 'sender') as Sender
    attach('$cbs', 'receiver').on('message', ({ message }: EventContext) => {
      const { 'status-code': status, 'status-description': description } = message?.application_properties ?? {}
      see(`putToken ${status}`)
      answers.get(String(message?.correlation_id))?.([status, description])
    })
    cbs = { sender, answers }
    return cbs
  }

  return {
    seen,
    sees(line, times = 1) {
      const enough = () => seen.filter(known => known === line).length >= times
      if (enough()) return Promise.resolve()
      return new Promise(resolve => {
        const look = () => {
          if (!enough()) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
      })
    },
    putToken(token) {
      const { sender, answers } = openCbs()
      const id = rhea.generate_uuid()
      const name = /sr=([^&]+)/.exec(token)?.[1] ?? ''
      const answered = new Promise<readonly [number, string]>(resolve => answers.set(id, resolve))
      sender.send({
        message_id: id,
        to: '$cbs',
        reply_to: 'cbs',
        application_properties: { operation: 'put-token', type: 'servicebus.windows.net:sastoken', name },
        body: token,
      } as unknown as Message)
      return answered
    },
    attach,
    connection,
    close() {
      // Rhea keeps its timers until it hears of an end.
      connection.eof()
      socket.destroy()
    },
  }
}

const conditionOf = ({ condition }: FrameError): string => (condition === null ? '' : ` ${condition}`)
