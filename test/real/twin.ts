/** Lasting conditions in the twin, over every protocol: there while they stand, gone when they are over, also over a restart. */
import { once } from 'node:events'
import t from 'tap'
import { type HubEvent, startHub } from '../hub/hub.js'
import { protocols } from '../support/conformance-row.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())

type Reported = {
  hubrec?: { conditions?: Readonly<Record<string, { severity: string; since: string; text: string }>> }
}

t.test('what stands is in the twin, and what is over is not', { timeout: 200_000 }, async t => {
  await Promise.all(
    protocols.map(async protocol => {
      const deviceId = `gateway-${protocol}`
      const { port } = await hub.addDevice(deviceId)
      const ports = { mqtt: port, amqp: port, https: port }
      await using gateway = await Gateway.make(hub, hub.connectionString(deviceId, undefined, { port: false }), {
        connection: { protocol, ports },
      })
      const conditions = () => (hub.twin({ deviceId }).reported as Reported).hubrec?.conditions
      const isReport = (event: HubEvent): boolean =>
        'deviceId' in event &&
        event.deviceId === deviceId &&
        ((event.type === 'publish' && event.topic.startsWith('$iothub/twin/PATCH/properties/reported/')) ||
          (event.type === 'transfer' && event.link === 'twin' && event.by === 'device'))
      const served = (from: number) =>
        hub.waitFor(event => (event.type === 'subscribe' || event.type === 'attach') && event.deviceId === deviceId, {
          from,
        })

      const daemon = gateway.start()
      await served(0)
      const { out } = await gateway.run('mark', '--record', '--for', '18s', '--config', gateway.configFile)
      await hub.waitFor(isReport, { timeoutMs: 60_000 })
      while (conditions() === undefined) await hub.waitFor(() => true, { from: hub.log.length })
      t.match(conditions(), {
        'verbosity-raised': { severity: 'warning', text: new RegExp(`as ${out.trim()} asked`) },
      })
      t.notOk(conditions()?.['ring-in-memory'])
      daemon.kill('SIGTERM')
      await once(daemon, 'exit')

      const from = hub.log.length
      const next = gateway.start()
      await served(from)
      while (conditions()?.['verbosity-raised'] !== undefined) {
        await hub.waitFor(isReport, { from: hub.log.length, timeoutMs: 60_000 })
        await new Promise(resolve => setImmediate(resolve))
      }
      t.strictSame(conditions(), {}, protocol)
      next.kill('SIGTERM')
      await once(next, 'exit')
    }),
  )
})
