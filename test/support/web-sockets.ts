/** What both protocols over WebSocket promise: who refused the upgrade and in which words, who never answered, who closed it. */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import type { ClosedEvent } from '../../transports/wire-event.js'
import { makeAuthority } from '../hub/certificates.js'
import { type Door, type Fault, startHub } from '../hub/hub.js'
import { grown, settled, startChurn } from './left-over.js'
import { breaches } from './pairing.js'
import { tapClient } from './tapped-client.js'
import { watchConnection } from './watched-connection.js'

const hub = await startHub()

let devices = 0
async function freshDevice(): Promise<{ deviceId: string; door: Door }> {
  const deviceId = `gateway-${++devices}`
  return { deviceId, door: await hub.addDevice(deviceId) }
}

const endOf = ({ by, how, stage, reason, error }: ClosedEvent): object => ({ by, how, stage, reason, error })

export function holdWebSocket(protocol: 'mqtt-ws' | 'amqp-ws'): void {
  t.teardown(() => hub.close())
  const watch = (deviceId: string, options: { accept?: number } = {}) =>
    watchConnection({
      connectionString: hub.connectionString(deviceId),
      ca: hub.ca,
      protocol,
      timeoutsMs: { accept: options.accept ?? 10_000 },
    })

  t.test(`${protocol}: a good connection tells the upgrade after TLS, and answers methods`, async t => {
    const { deviceId } = await freshDevice()
    const connection = watch(deviceId)
    await connection.next('subscribed')
    t.strictSame(await hub.invokeMethod({ deviceId }, { methodName: 'ping' }), {
      status: 200,
      payload: { name: 'ping' },
    })
    await connection.stop()
    const told = connection.told.map(({ event }) => event)
    t.strictSame(
      told.slice(0, 5).map(({ type }) => type),
      ['connecting', 'resolved', 'tcpConnected', 'tlsSecured', 'upgraded'],
    )
    t.match(told[4], { protocol, status: 101, ms: Number })
    t.match(told.at(-1), { type: 'closed', by: 'us', how: 'goodbye', stage: 'session', reason: 'shutdown' })
    t.strictSame(breaches(told), [])
    const asked = hub.log.find(event => event.type === 'upgrade' && event.deviceId === deviceId)
    const subprotocol = protocol === 'mqtt-ws' ? 'mqtt' : 'AMQPWSB10'
    t.match(asked, { path: '/$iothub/websocket', subprotocol, status: 101 })
  })

  const answers: readonly (readonly [number, Record<string, string>, Record<string, string>])[] = [
    [
      302,
      { Location: 'http://user:pass@portal.example/login?session=s3cret', Server: 'portal/1' },
      { location: 'http://portal.example/login', server: 'portal/1' },
    ],
    [401, { 'WWW-Authenticate': 'Negotiate, Basic realm="secret place"' }, { 'www-authenticate': 'Negotiate, Basic' }],
    [403, {}, {}],
    [404, { Location: '/elsewhere?x=1' }, { location: '/elsewhere' }],
    [407, { 'Proxy-Authenticate': 'Digest nonce="abc", qop="auth"' }, { 'proxy-authenticate': 'Digest' }],
    [
      503,
      { 'Retry-After': '120', Via: `1.1 ${'x'.repeat(400)}` },
      { 'retry-after': '120', via: `1.1 ${'x'.repeat(196)}` },
    ],
  ]
  for (const [status, headers, kept] of answers) {
    t.test(
      `${protocol}: an upgrade that is answered by ${status} is refused, with what tells who answered`,
      async t => {
        const { deviceId, door } = await freshDevice()
        await door.set({ kind: 'upgrade', status, headers, times: 1 })
        const connection = watch(deviceId)
        const { type, step, code, headers: told } = await connection.next('refused')
        t.match(await connection.next('retryScheduled'), { policy: 'network' }, 'nobody has seen the credential')
        await connection.next('subscribed')
        await connection.stop()
        t.strictSame({ type, step, code }, { type: 'refused', step: 'upgrade', code: status })
        const { server: _server, ...rest } = told ?? {}
        const { server: _expected, ...expected } = kept
        t.strictSame(rest, expected)
        const events = connection.told.map(({ event }) => event)
        t.notMatch(JSON.stringify(events), /s3cret|secret place|user:pass|abc/)
        t.strictSame(breaches(events), [])
      },
    )
  }

  t.test(`${protocol}: an upgrade that is never answered is given up at its own stage`, async t => {
    const { deviceId, door } = await freshDevice()
    await door.set({ kind: 'upgradeSilent', times: 1 })
    const connection = watch(deviceId, { accept: 300 })
    const closed = await connection.next('closed')
    await connection.next('subscribed')
    await connection.stop()
    t.strictSame(endOf(closed), { by: 'us', how: 'timeout', stage: 'upgrade', reason: 'slow', error: null })
  })

  t.test(`${protocol}: a server that takes the upgrade and closes it says its code`, async t => {
    const { deviceId, door } = await freshDevice()
    const connection = watch(deviceId)
    await connection.next('subscribed')
    await door.set({ kind: 'websocketClose', code: 1001, times: 1 })
    const closed = await connection.next('closed')
    await connection.next('subscribed', { where: ({ attempt }) => attempt > 1 })
    await connection.stop()
    t.match(endOf(closed), {
      by: 'hub',
      how: 'goodbye',
      stage: 'session',
      error: { name: 'WebSocketClose', code: '1001' },
    })
  })

  for (const how of ['fin', 'rst'] as const) {
    t.test(`${protocol}: a socket that ends by ${how} is told as such`, async t => {
      const { deviceId, door } = await freshDevice()
      const connection = watch(deviceId)
      await connection.next('subscribed')
      door.cut(how)
      const closed = await connection.next('closed')
      await connection.next('subscribed', { where: ({ attempt }) => attempt > 1 })
      await connection.stop()
      t.match(closed, { how, stage: 'session', by: how === 'fin' ? 'hub' : 'unknown' })
    })
  }

  t.test(`${protocol}: what is no WebSocket, or the wrong one, is the server's fault`, async t => {
    const authority = await makeAuthority('localhost')
    const { key, cert } = await authority.issue('good')
    const server = createServer({ key, cert })
    server.on('upgrade', (_request, socket) => {
      const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: wrong', '', '']
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}`)
      socket.on('error', () => undefined)
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const sharedKey = Buffer.from('a key that only this test has').toString('base64')
    const connectionString = `HostName=localhost:${port};DeviceId=dev;SharedAccessKey=${sharedKey}`
    const tapped = tapClient({ connectionString, ca: authority.ca, protocol })
    await t.rejects(tapped.client.open())
    t.match(await tapped.next('closed'), { by: 'hub', how: 'error', stage: 'upgrade', lastedMs: null })
    tapped.tap.abandon('abandoned')
    server.closeAllConnections()
    server.close()
  })

  t.test(`${protocol}: a hundred incarnations leave no sockets, timers, listeners or clients behind`, async t => {
    const { deviceId, door } = await freshDevice()
    const churn = await startChurn(hub.connectionString(deviceId), hub.ca, protocol)
    const cut = (how: 'fin' | 'rst'): Promise<void> => churn.through(() => door.cut(how))
    // The first cut meets whatever is made once and kept.
    await cut('rst')
    const before = churn.leftOver()
    const silent = protocol === 'mqtt-ws' ? ('noConnack' as const) : ('cbsSilent' as const)
    const faults: readonly Fault[] = [
      { kind: 'rstAtAccept', times: 1 },
      { kind: 'upgrade', status: 503, times: 2 },
      { kind: 'upgradeSilent', times: 1 },
      { kind: silent, times: 1 },
    ]
    for (let round = 0; round < 15; round++) {
      for (const fault of faults) await door.set(fault)
      await cut('rst')
      await churn.through(() => door.set({ kind: 'websocketClose', code: 1011, times: 1 }))
      await cut('fin')
    }
    t.ok(churn.incarnations > 100, `${churn.incarnations} incarnations`)
    t.strictSame(await settled(() => grown(before, churn.leftOver()), {}), {})
    await churn.stop()
    t.strictSame(await settled(() => grown({ ...before, alive: 0, abortListeners: 0 }, churn.leftOver()), {}), {})
  })
}
