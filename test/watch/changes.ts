/** From look to look: what there is to say of sockets that are only seen now and then. */
import t from 'tap'
import { compareLooks, type Look, type WatchedChange } from '../../agent/watch/changes.js'
import type { WatchedSocket } from '../../agent/watch/ss.js'

const socket = (change: Partial<WatchedSocket> = {}): WatchedSocket => ({
  state: 'ESTAB',
  local: '10.0.0.7:44140',
  peer: '20.49.109.128:8883',
  inode: 5,
  cgroup: '/system.slice/telemetry.service',
  process: null,
  rttMs: 80,
  retransmitting: 0,
  retransmitted: 0,
  congestionWindow: null,
  bytesSent: 1,
  bytesReceived: 1,
  silentMs: 10,
  ...change,
})

const hub = 'my-hub.azure-devices.net'
const hostOf = (address: string): string | null => (address === '20.49.109.128' ? hub : null)

/** A look every 30 s. */
const watched = (...looks: readonly (readonly WatchedSocket[])[]): WatchedChange[] => {
  let look: Look = new Map()
  return looks.flatMap((sockets, index) => {
    const next = compareLooks(look, sockets, hostOf, index * 30_000, 30_000)
    look = next.look
    return next.changes
  })
}

const short = ({ what, unit, seenForMs }: WatchedChange): string => `${what} ${unit} ${seenForMs}`

t.test('a connection is seen, has trouble, recovers, and is gone, and each is said to be coarse', async t => {
  const changes = watched(
    [socket({ state: 'SYN-SENT', retransmitting: 1 })],
    [socket()],
    [socket()],
    [socket({ retransmitting: 3, retransmitted: 4 })],
    [socket({ retransmitting: 5, retransmitted: 9 })],
    [socket({ retransmitted: 9 })],
    [],
  )
  t.strictSame(changes.map(short), [
    'connecting telemetry.service null',
    'seen telemetry.service 30000',
    'retransmitting telemetry.service 90000',
    'recovered telemetry.service 150000',
    'gone telemetry.service 180000',
  ])
  t.strictSame(changes[2], {
    condition: 'watched-socket',
    coarse: true,
    what: 'retransmitting',
    host: hub,
    local: '10.0.0.7:44140',
    peer: '20.49.109.128:8883',
    unit: 'telemetry.service',
    process: null,
    rttMs: 80,
    retransmitted: 4,
    silentMs: 10,
    seenForMs: 90_000,
    everyMs: 30_000,
  })
})

t.test('a reconnect between two looks is another socket', async t => {
  const changes = watched([socket()], [socket({ local: '10.0.0.7:44141', inode: 6 })])
  t.strictSame(
    changes.map(({ what, local }) => `${what} ${local}`),
    ['seen 10.0.0.7:44140', 'seen 10.0.0.7:44141', 'gone 10.0.0.7:44140'],
  )
})

t.test('a session that lasts is told of every ten minutes, and others’ sockets never', async t => {
  const long = Array.from({ length: 45 }, () => [
    socket(),
    socket({ peer: '1.1.1.1:443' }),
    socket({ state: 'TIME-WAIT', inode: 0 }),
  ])
  t.strictSame(watched(...long).map(short), [
    'seen telemetry.service null',
    'still there telemetry.service 600000',
    'still there telemetry.service 1200000',
  ])
})
