/** systemd-journald, by the stream that a service's stdout is: Node has no datagram sockets for its other door. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createConnection } from 'node:net'
import type { Contender } from '../contender.js'

const door = '/run/systemd/journal/stdout'

export const journald: Contender = {
  name: 'journald',
  title: 'systemd-journald',
  measures: ['throughput', 'latency'],
  missing: () => (existsSync(door) ? null : `no journal listens at ${door}`),

  async open() {
    // It closes its own half at once, because it has nothing to say.
    const socket = createConnection({ path: door, allowHalfOpen: true })
    await once(socket, 'connect')
    // Identifier, unit, priority, whether lines may bring their own, and three places it could be forwarded to.
    socket.write('hubrec-bench\n\n6\n0\n0\n0\n0\n')
    return {
      append(entry) {
        socket.write(`${JSON.stringify(entry)}\n`)
      },
      async handedOver() {
        await new Promise<void>((resolve, reject) => {
          socket.write('', error => (error ? reject(error) : resolve()))
        })
      },
      async close() {
        socket.destroy()
      },
    }
  },
}
