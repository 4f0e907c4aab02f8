/** The device twin over every protocol: what it sets holds, is answered and survives; what the device reports is how it is. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type Hub, type HubEvent, startHub } from '../hub/hub.js'
import { protocols } from '../support/conformance-row.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())

type Answer = Readonly<{ value?: unknown; ac: number; av: number; ad: string }>
type Component = Readonly<Record<string, unknown>> &
  Readonly<{
    conditions?: Readonly<Record<string, { severity: string; since: string; text: string }>>
    lastOutage?: { cause: string }
    sampleIntervalSeconds?: Answer
    ringBudgetBytes?: Answer
    colour?: Answer
    collect?: Answer
    collected?: { id: string; status: string; blobName?: string }
  }>

/** What the twin of a device says under our name. */
const componentOf = (hub: Hub, deviceId: string): Component =>
  (hub.twin({ deviceId }).reported as { hubrec?: Component }).hubrec ?? {}

const versionOf = (hub: Hub, deviceId: string): number =>
  (hub.twin({ deviceId }).desired as { $version: number }).$version

/** Waits for a report after which this is so. */
async function reported(deviceId: string, isSo: (component: Component) => boolean): Promise<Component> {
  const isReport = (event: HubEvent): boolean =>
    'deviceId' in event &&
    event.deviceId === deviceId &&
    ((event.type === 'publish' && event.topic.startsWith('$iothub/twin/PATCH/properties/reported/')) ||
      (event.type === 'transfer' && event.link === 'twin' && event.by === 'device'))
  for (;;) {
    const component = componentOf(hub, deviceId)
    if (isSo(component)) return component
    await hub.waitFor(isReport, { from: hub.log.length, timeoutMs: 150_000 })
    // The hub tells of it before it has taken it.
    await new Promise(resolve => setImmediate(resolve))
  }
}

const verbosityFile = (stateDir: string): string => join(stateDir, 'verbosity.json')

/** A condition that stands from the first moment. */
async function raiseVerbosity(stateDir: string): Promise<void> {
  const atMs = Date.now()
  const raised = { by: 'an earlier run', sinceMs: atMs, bootId: 'another', endsBootMs: 0, atMs, leftMs: 600_000 }
  await mkdir(stateDir, { recursive: true })
  await writeFile(verbosityFile(stateDir), JSON.stringify(raised))
}

t.test(
  'what the twin sets is answered, holds and survives, and what stands is reported',
  { timeout: 400_000 },
  async t => {
    await Promise.all(
      protocols.map(async protocol => {
        const deviceId = `gateway-${protocol}`
        const identity = { deviceId }
        const { port } = await hub.addDevice(deviceId)
        const ports = { mqtt: port, amqp: port, https: port }
        const reconnect = { capSeconds: 1, refusedCapSeconds: 1 }
        await using gateway = await Gateway.make(hub, hub.connectionString(deviceId, undefined, { port: false }), {
          connection: { protocol, ports, retry: reconnect },
        })
        const served = (from: number) =>
          hub.waitFor(event => (event.type === 'subscribe' || event.type === 'attach') && event.deviceId === deviceId, {
            from,
            timeoutMs: 120_000,
          })
        const budget = async (): Promise<unknown> => {
          const [status] = await gateway.json<{ ring: { budgetBytes: number } }>(
            'status',
            '--config',
            gateway.configFile,
          )
          return status?.ring.budgetBytes
        }

        await hub.patchDesired(identity, { hubrec: { ringBudgetBytes: 12, sampleIntervalSeconds: 2, colour: 'red' } })
        const asked = versionOf(hub, deviceId)
        await raiseVerbosity(gateway.stateDir)
        const daemon = gateway.start()
        await served(0)
        const first = await reported(deviceId, ({ colour }) => colour !== undefined)
        t.strictSame(
          [first.sampleIntervalSeconds, first.ringBudgetBytes, first.colour],
          [
            { value: 2, ac: 200, av: asked, ad: 'accepted' },
            { value: 16_777_216, ac: 400, av: asked, ad: 'expected a whole number from 262144 to 1073741824' },
            {
              ac: 400,
              av: asked,
              ad: 'unknown property; expected one of sampleIntervalSeconds, verboseUntil, ringBudgetBytes, uploadQuotaBytes, heartbeatMinutes, collect',
            },
          ],
          protocol,
        )

        await hub.patchDesired(identity, { hubrec: { ringBudgetBytes: 524_288, colour: null } })
        const second = await reported(deviceId, ({ ringBudgetBytes }) => ringBudgetBytes?.ac === 200)
        t.strictSame(second.ringBudgetBytes, { value: 524_288, ac: 200, av: asked + 1, ad: 'accepted' }, protocol)
        t.equal(second.sampleIntervalSeconds?.av, asked, 'nobody asked again')
        t.equal(await budget(), 524_288, 'at run time')

        const third = await reported(deviceId, ({ conditions }) => conditions?.['verbosity-raised'] !== undefined)
        t.match(
          third,
          {
            __t: 'c',
            versions: { hubrec: String, sdk: String, node: process.versions.node },
            session: { protocol, since: String },
            counts: { outages: 0, awaySeconds: 0 },
            conditions: {
              'verbosity-raised': { severity: 'warning', text: /as an earlier run asked/ },
            },
            ring: { mode: 'disk', filledPercent: Number, lostRecords: 0 },
            outbox: { waiting: 0, bytes: 0 },
            verboseUntil: undefined,
            uploadQuotaBytes: { value: 67_108_864, ac: 203, av: 0 },
          },
          protocol,
        )
        t.notOk(third.conditions?.['ring-in-memory'])
        t.notOk(third.colour, 'what is not asked any more is not answered any more')

        daemon.kill('SIGKILL')
        await once(daemon, 'exit')
        await rm(verbosityFile(gateway.stateDir))
        hub.disableDevice(deviceId)
        await hub.patchDesired(identity, { hubrec: { sampleIntervalSeconds: null } })
        const next = gateway.start()
        while ((await gateway.run('status', '--config', gateway.configFile)).code !== 0);
        t.equal(await budget(), 524_288, 'without a network it is as it was')
        const from = hub.log.length
        hub.enableDevice(deviceId)
        await served(from)
        const fourth = await reported(deviceId, ({ sampleIntervalSeconds }) => sampleIntervalSeconds?.ac === 203)
        t.strictSame(fourth.ringBudgetBytes, second.ringBudgetBytes, 'it stands, under its old version')
        t.equal(fourth.sampleIntervalSeconds?.value, 1, 'as the configuration says')
        const last = await reported(
          deviceId,
          ({ conditions, lastOutage }) => conditions === undefined && lastOutage !== undefined,
        )
        t.match(last, { lastOutage: { cause: String, durationSeconds: Number }, counts: { outages: 1 } }, protocol)
        next.kill('SIGTERM')
        await once(next, 'exit')
      }),
    )
  },
)

t.test(
  'a device whose owner does not want it is not changed by its twin, and reports',
  { timeout: 200_000 },
  async t => {
    const deviceId = 'own-master'
    await hub.addDevice(deviceId)
    await hub.patchDesired({ deviceId }, { hubrec: { ringBudgetBytes: 524_288 } })
    await using gateway = await Gateway.make(hub, hub.connectionString(deviceId), { twin: { desired: false } })
    const daemon = gateway.start()
    const component = await reported(deviceId, ({ versions }) => versions !== undefined)
    t.equal(component.ringBudgetBytes, undefined)
    const [status] = await gateway.json<{ ring: { budgetBytes: number } }>('status', '--config', gateway.configFile)
    t.equal(status?.ring.budgetBytes, 16_777_216)
    t.notOk(existsSync(join(gateway.stateDir, 'twin.json')))
    daemon.kill('SIGTERM')
    await once(daemon, 'exit')
  },
)

t.test('a sasUrl in the twin reaches the task, and no record, no file and no report', { timeout: 200_000 }, async t => {
  const sasUrl = await hub.containerSasUrl('asked-by-twin')
  const { origin, pathname, searchParams } = new URL(sasUrl)
  const signature = searchParams.get('sig') ?? ''
  await Promise.all(
    (['mqtt', 'amqp'] as const).map(async protocol => {
      const deviceId = `sas-${protocol}`
      const { port } = await hub.addDevice(deviceId)
      await using gateway = await Gateway.make(hub, hub.connectionString(deviceId), {
        connection: { protocol, ports: { mqtt: port, amqp: port, https: hub.ports.https } },
        upload: { allowedContainers: [`${origin}${pathname}`], privateHosts: ['localhost'] },
      })
      await hub.patchDesired({ deviceId }, { hubrec: { collect: { id: 'before', sasUrl } } })
      // So that what the SDK says is written down.
      await raiseVerbosity(gateway.stateDir)
      const daemon = gateway.start()
      await reported(deviceId, ({ collect }) => collect?.ac === 200)
      await hub.patchDesired({ deviceId }, { hubrec: { collect: { id: 'meanwhile', sasUrl, since: '1h' } } })
      await reported(deviceId, ({ collect, collected }) => collect?.ac === 200 && collected?.id === 'meanwhile')
      const { out } = await gateway.run('logs', '--json', '--config', gateway.configFile)
      daemon.kill('SIGTERM')
      await once(daemon, 'exit')

      const forms = [signature, encodeURIComponent(signature), Buffer.from(signature).toJSON().data.join(',')]
      const files = await readdir(gateway.stateDir, { recursive: true, withFileTypes: true })
      const texts = await Promise.all(
        files.filter(file => file.isFile()).map(file => readFile(join(file.parentPath, file.name), 'latin1')),
      )
      for (const text of [out, gateway.output, JSON.stringify(hub.twin({ deviceId }).reported), ...texts])
        t.notOk(
          forms.some(form => text.includes(form)),
          'it holds no signature',
        )
    }),
  )
})
