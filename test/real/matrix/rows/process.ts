/** The recorder's own process: stopped, killed, put to rest, and its token renewed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, type Row, rowsOf } from '../row.js'
import { keepaliveSeconds } from '../settings.js'

/** Whether the whole device slept or this process was not let run, its own clocks do not say; what the hub does is the same. */
const stopped: Fault = {
  name: 'process stopped for three keepalive intervals',
  kind: 'passes',
  truth: ['event-loop-stall', 'device-sleep'],
  hubrecOnly: true,
  begin: async ({ process }) => {
    process?.kill('SIGSTOP')
    await sleep(3 * keepaliveSeconds * 1e3)
    process?.kill('SIGCONT')
  },
}

const killed: Fault = {
  name: 'process killed and started',
  kind: 'passes',
  truth: ['app-crash'],
  hubrecOnly: true,
  begin: ({ restart }) => restart('SIGKILL'),
}

const restarted: Fault = {
  name: 'service restarted',
  kind: 'passes',
  truth: ['graceful-close'],
  hubrecOnly: true,
  begin: ({ restart }) => restart('SIGTERM'),
}

export const processRows: readonly Row[] = [
  ...rowsOf(stopped, { mqtt: 'later', amqp: 'later' }),
  ...rowsOf(killed, { mqtt: 'later', 'amqp-ws': 'later' }),
  ...rowsOf(restarted, { mqtt: 'later', amqp: 'later' }),
]
