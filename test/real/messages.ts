/** Messages to the cloud over every protocol: a heartbeat and an incident, as a route would find them. */
import { once } from 'node:events'
import t from 'tap'
import { startHub } from '../hub/hub.js'
import { protocols } from '../support/conformance-row.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())

t.test('an incident is told once, and a heartbeat beats', { timeout: 200_000 }, async t => {
  await Promise.all(
    protocols.map(async protocol => {
      const deviceId = `gateway-${protocol}`
      const door = await hub.addDevice(deviceId)
      const ports = { mqtt: door.port, amqp: door.port, https: door.port }
      await using gateway = await Gateway.make(hub, hub.connectionString(deviceId, undefined, { port: false }), {
        connection: { protocol, ports },
        messages: { incidents: true, heartbeatMinutes: 1 },
      })
      const served = (from: number) =>
        hub.waitFor(event => (event.type === 'subscribe' || event.type === 'attach') && event.deviceId === deviceId, {
          from,
          timeoutMs: 100_000,
        })
      const messages = () =>
        hub.messages({ deviceId }).map(({ body, ...rest }) => ({ ...rest, body: JSON.parse(body.toString()) }))
      const of = (kind: string) => messages().filter(({ properties }) => properties['hubrec-kind'] === kind)

      const daemon = gateway.start()
      await served(0)
      const from = hub.log.length
      door.cut('rst')
      await served(from)
      while (of('incident').length === 0 || of('heartbeat').length === 0) {
        const next = hub.log.length
        await hub.waitFor(event => event.type === 'message' && event.deviceId === deviceId, {
          from: next,
          timeoutMs: 100_000,
        })
      }
      const json = { contentType: 'application/json', contentEncoding: 'utf-8' }
      t.match(
        of('incident'),
        [
          {
            ...json,
            messageId: String,
            properties: { 'hubrec-kind': 'incident', cause: 'peer-reset' },
            body: { kind: 'incident', cause: 'peer-reset', confidence: 'certain', protocol, outages: 1 },
          },
        ],
        protocol,
      )
      t.match(of('heartbeat')[0], { ...json, body: { kind: 'heartbeat', everyMinutes: 1, protocol } }, protocol)
      t.notOk(of('incident')[0]?.properties.repeated)
      daemon.kill('SIGTERM')
      await once(daemon, 'exit')
    }),
  )
})
