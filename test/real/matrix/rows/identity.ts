/** The registry's word on the device, and a second device of the same name. */
import { startRival } from '../../../demo/rival.js'
import { type Fault, type Row, rowsOf } from '../row.js'

/** On no wire can these be told from each other without the portal, but for a signature that AMQP names. */
const refused = ['device-disabled', 'device-deleted', 'wrong-key', 'sas-expired']

const disabled: Fault = {
  name: 'device disabled',
  kind: 'lasts',
  truth: refused,
  begin: ({ hub, deviceId }) => hub.disableDevice(deviceId),
  heal: ({ hub, deviceId }) => hub.enableDevice(deviceId),
}

const keyOf = (connectionString: string): string => /SharedAccessKey=(.*)$/.exec(connectionString)?.[1] ?? ''

const deleted: Fault = {
  name: 'device deleted',
  kind: 'lasts',
  truth: refused,
  prepare: device => {
    device.connectionString = device.hub.connectionString(device.deviceId, undefined, { port: false })
  },
  begin: ({ hub, deviceId }) => hub.deleteDevice(deviceId),
  heal: async ({ hub, deviceId, connectionString }) => {
    await hub.addDevice(deviceId, { key: keyOf(connectionString ?? '') })
  },
}

const wrongKey: Fault = {
  name: 'key regenerated',
  kind: 'stays',
  truth: refused,
  prepare: device => {
    device.connectionString = device.hub.connectionString(device.deviceId, undefined, { port: false })
    device.hub.regenerateKey({ deviceId: device.deviceId })
  },
  begin: () => undefined,
}

const expiredToken: Fault = {
  name: 'a token that has expired',
  kind: 'stays',
  truth: ['sas-expired'],
  prepare: device => {
    const { hub, deviceId } = device
    device.connectionString = hub
      .connectionString(deviceId, undefined, { port: false })
      .replace(
        /SharedAccessKey=.*/,
        `SharedAccessSignature=${hub.sasToken({ deviceId }, { expiresInSeconds: -7_200 })}`,
      )
  },
  begin: () => undefined,
}

/** Each throws the other out, and comes back. */
const clone: Fault = (() => {
  const rivals = new Map<string, () => Promise<void>>()
  return {
    name: 'a second device of the same name',
    kind: 'lasts',
    ends: 4,
    truth: ['duplicate-device-id'],
    hubrecOnly: true,
    begin: async ({ hub, deviceId, door }) => {
      const from = hub.log.length
      const { hostName, caFile } = hub
      const token = () => hub.sasToken({ deviceId })
      rivals.set(deviceId, startRival({ port: door.port, caFile, hostName, deviceId, token }))
      // It is a process of its own, and takes its time to start.
      await hub.waitFor(event => event.type === 'connect' && event.deviceId === deviceId && event.code === 0, { from })
    },
    heal: async ({ deviceId }) => rivals.get(deviceId)?.(),
  }
})()

export const identityRows: readonly Row[] = [
  ...rowsOf(disabled, { mqtt: 'both', amqp: 'later', 'mqtt-ws': 'first' }),
  ...rowsOf(deleted, { mqtt: 'later', amqp: 'first' }),
  ...rowsOf(wrongKey, { mqtt: 'first', 'mqtt-ws': 'first', amqp: 'first', 'amqp-ws': 'first' }),
  ...rowsOf(expiredToken, { mqtt: 'first', amqp: 'first' }),
  ...rowsOf(clone, { mqtt: 'later' }),
]
