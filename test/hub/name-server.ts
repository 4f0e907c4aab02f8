/** A DNS server on loopback that answers, denies, fails or keeps silent, by name. */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { AUTHORITATIVE_ANSWER, type DecodedPacket, decode, encode } from 'dns-packet'

/**
 * - `answer`: A of the address that it points to, 127.0.0.1 at first, and no AAAA
 * - `nxdomain`: there is no such name
 * - `servfail`: the server could not find out
 * - `silence`: no packet comes back
 */
export type NameMode = 'answer' | 'nxdomain' | 'servfail' | 'silence'

export interface NameServer extends AsyncDisposable {
  /** UDP, on 127.0.0.1. */
  readonly port: number
  /** `127.0.0.1:port`, as `dns.setServers` takes it. */
  readonly address: string
  /** For one name, or for all that have no mode of their own. Names are compared without case. */
  set(mode: NameMode, name?: string): void
  /** The address that one name has from now on, or that all have which have none of their own. */
  point(address: string, name?: string): void
  /** How often a name was asked for, with each record type counted alone. */
  asked(name: string): number
  close(): Promise<void>
}

/** What a resolver is to remember is nothing, so that a change of mode is seen at once. */
const ttlSeconds = 0

/**
 * All names are answered until a mode is set.
 *
 * @param options.port by default one that the kernel gives; 53 is where the system's own resolver asks
 */
export async function startNameServer({ port: wanted = 0 }: { port?: number } = {}): Promise<NameServer> {
  const modes = new Map<string, NameMode>()
  const counts = new Map<string, number>()
  let general: NameMode = 'answer'
  let pointsTo = '127.0.0.1'
  const pointed = new Map<string, string>()

  const socket = createSocket('udp4')
  socket.on('message', (message, { address, port }) => {
    const query = decode(message)
    const name = (query.questions?.[0]?.name ?? '').toLowerCase()
    counts.set(name, (counts.get(name) ?? 0) + 1)
    const reply = answer(query, modes.get(name) ?? general, pointed.get(name) ?? pointsTo)
    if (reply) socket.send(reply, port, address)
  })
  socket.bind(wanted, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()

  const close = async () => {
    const closed = once(socket, 'close')
    socket.close()
    await closed
  }
  return {
    port,
    address: `127.0.0.1:${port}`,
    set(mode, name) {
      if (name === undefined) general = mode
      else modes.set(name.toLowerCase(), mode)
    },
    point(address, name) {
      if (name === undefined) pointsTo = address
      else pointed.set(name.toLowerCase(), address)
    },
    asked: name => counts.get(name.toLowerCase()) ?? 0,
    close,
    [Symbol.asyncDispose]: close,
  }
}

const responseCodes = { answer: 0, servfail: 2, nxdomain: 3 } as const

function answer({ id, questions = [] }: DecodedPacket, mode: NameMode, address: string): Buffer | null {
  if (mode === 'silence') return null
  const answers = questions.filter(({ type }) => mode === 'answer' && type === 'A')
  return encode({
    type: 'response',
    ...(id === undefined ? {} : { id }),
    // The response code is the low nibble of the flags.
    flags: AUTHORITATIVE_ANSWER | responseCodes[mode],
    questions,
    answers: answers.map(({ name }) => ({ type: 'A' as const, name, ttl: ttlSeconds, data: address })),
  })
}
