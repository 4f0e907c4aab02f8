/** Whether WebSocket is let through as far as the hub: the upgrade is asked for, and nothing is said after it. */
import type { TLSSocket } from 'node:tls'
import { mqttUpgrade } from '../../../transports/socket-tap.js'
import { upgrade } from '../../../transports/upgrade.js'
import { portOf } from '../../protocols.js'
import { type Answer, type Check, failed, ok, skipped } from '../check.js'
import { secured } from '../handshake.js'

export const webSocket: Check = {
  id: 'websocket',
  family: 'hub',
  question: 'Is WebSocket let through to the hub?',
  why: 'Where only the port of the web is open it is the way out, unless something on the road takes it apart.',
  remedies: [
    'Have WebSocket to the hub let through, or the hub exempted from the filter.',
    'Where a proxy is the way out, set `connection.proxy`.',
  ],
  needs: ['tls-websocket'],
  async ask(facts, signal) {
    const [{ config }, { host, port: given }, wanted, { proxy }] = await Promise.all([
      facts.config(),
      facts.identity(),
      facts.protocols(),
      facts.target(),
    ])
    if (!wanted.some(protocol => protocol.endsWith('-ws'))) return skipped('it is not configured here')
    if (proxy !== null) return skipped('the way leads through a proxy')
    const port = portOf('mqtt-ws', given, config.connection.ports)
    const { socket } = await secured(facts, host, port, signal)
    try {
      return await answerOf(socket, { host, port })
    } finally {
      socket.destroy()
    }
  },
}

const answerOf = (secured: TLSSocket, { host, port }: Readonly<{ host: string; port: number }>): Promise<Answer> =>
  new Promise(resolve => {
    const { path, subprotocol } = mqttUpgrade
    const upgrading = upgrade(
      secured,
      { host, port, path, subprotocol },
      {
        upgraded: status => {
          resolve(ok(`${host}:${port} answers the upgrade with ${status}`, { status }))
          upgrading.destroy()
        },
        refused: ({ code: status, headers }) =>
          resolve(failed(`${host}:${port} answers the upgrade with ${status}`, { status, headers })),
        failed: error => resolve(failed(`${host}:${port}: ${error.message}`)),
        closed: code => resolve(failed(`${host}:${port} closed the WebSocket${code === null ? '' : ` with ${code}`}`)),
      },
    )
  })
