/** Links with round trips of a second, and hosts of several addresses, with the limits that the configuration has by default. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import type { Protocol } from '../../transports/wire-event.js'
import { startHub } from '../hub/hub.js'
import { breaches } from '../support/pairing.js'
import { watchConnection } from '../support/watched-connection.js'

const hub = await startHub()
t.jobs = 4

const protocols: readonly Protocol[] = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']

for (const protocol of protocols) {
  t.test(
    `${protocol}: a link with round trips of a second gets through at the first attempt`,
    { buffered: true },
    async t => {
      const deviceId = `slow-${protocol}`
      const door = await hub.addDevice(deviceId)
      await door.set({ kind: 'slow', latencyMs: 500 })
      // Not told otherwise, each step has its 10 s.
      const connection = watchConnection({ connectionString: hub.connectionString(deviceId), ca: hub.ca, protocol })
      const { attempt } = await connection.next('subscribed')
      t.equal(attempt, 1)
      t.match(await hub.invokeMethod({ deviceId }, { methodName: 'ping' }), { status: 200 })
      await connection.stop()
      const told = connection.told.map(({ event }) => event)
      t.match(told.at(-1), { type: 'closed', by: 'us', reason: 'shutdown' })
      t.strictSame(breaches(told), [])
    },
  )
}

t.test('of a host with several addresses, each has its own error', { buffered: true }, async t => {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as { port: number }
  free.close()
  await once(free, 'close')
  for (const protocol of protocols) {
    const key = Buffer.from('a key that only this test has').toString('base64')
    const connection = watchConnection({
      connectionString: `HostName=localhost:${port};DeviceId=dev;SharedAccessKey=${key}`,
      ca: hub.ca,
      protocol,
      lookup: (_host, callback) =>
        callback(null, [
          { address: '::1', family: 6 },
          { address: '127.0.0.1', family: 4 },
        ]),
    })
    const { error } = await connection.next('closed')
    await connection.stop()
    t.match(error, { code: 'ECONNREFUSED' })
    t.strictSame(
      error?.errors?.map(({ code, address }) => `${code} ${address}`),
      [`ECONNREFUSED ::1:${port}`, `ECONNREFUSED 127.0.0.1:${port}`],
    )
  }
})

t.teardown(() => hub.close())
