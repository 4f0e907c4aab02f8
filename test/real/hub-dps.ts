/** The local provisioning service speaks to the stock SDK, checks what it shows, and goes wrong on request. */

import mqttBase from 'azure-iot-mqtt-base'
import provisioning from 'azure-iot-provisioning-device'
import provisioningMqtt from 'azure-iot-provisioning-device-mqtt'
import symmetric from 'azure-iot-security-symmetric-key'
import x509 from 'azure-iot-security-x509'
import t from 'tap'
import type { KeyPair } from '../hub/certificates.js'
import { makeSelfSigned } from '../hub/client-certificates.js'
import { startHub } from '../hub/hub.js'

const hub = await startHub()
t.teardown(() => hub.close())
const dps = await hub.startDps()
await hub.addDevice('pump-1')
const assign = hub.assignment('pump-1')

type Client = typeof provisioning.ProvisioningDeviceClient
type Security = Parameters<Client['create']>[3]

/** The stock client as it is, but for the authority that it is to trust. */
const register = (security: unknown, idScope = dps.idScope): Promise<unknown> => {
  const base = new mqttBase.MqttBase()
  base.setOptions({ ca: hub.ca })
  const transport = new provisioningMqtt.Mqtt(base as never)
  const client = provisioning.ProvisioningDeviceClient.create(dps.endpoint, idScope, transport, security as Security)
  return Promise.resolve(client.register())
}
const byKey = (registrationId: string, key: string, idScope?: string) =>
  register(new symmetric.SymmetricKeySecurityClient(registrationId, key), idScope)
const byCertificate = (registrationId: string, { cert, key }: KeyPair) =>
  register(new x509.X509Security(registrationId, { cert, key }))

t.test('a device with a key is assigned', async t => {
  const key = dps.enrol('reg-1', { assign })
  t.match(await byKey('reg-1', key), {
    status: 'assigned',
    registrationId: 'reg-1',
    assignedHub: assign.hub,
    deviceId: 'pump-1',
  })
  const seen = hub.log.flatMap(event => (event.type === 'dps' ? [[event.operation, event.status]] : []))
  t.strictSame(seen, [
    ['connect', 0],
    ['register', 202],
    ['query', 200],
  ])
})

t.test('a device with a certificate is assigned, and another certificate is refused at the sign-in', async t => {
  dps.enrol('reg-2', { assign, x509: 'ca' })
  t.match(await byCertificate('reg-2', await hub.issueClientCertificate('reg-2')), { assignedHub: assign.hub })
  await t.rejects(byCertificate('reg-2', await makeSelfSigned('reg-2')), { code: 5 })
})

t.test('a wrong key, a wrong scope and an unknown registration are refused when they ask', async t => {
  const key = dps.enrol('reg-3', { assign })
  await t.rejects(byKey('reg-3', Buffer.from('another').toString('base64')), {
    name: 'UnauthorizedError',
    result: { errorCode: 401002, message: 'Unauthorized' },
  })
  await t.rejects(byKey('reg-3', key, '0ne00FFFFFF'), { name: 'UnauthorizedError' })
  await t.rejects(byKey('nobody', key), { name: 'UnauthorizedError' })
})

t.test('what is disabled or cannot be assigned is told so', async t => {
  const key = dps.enrol('reg-4', { assign })
  dps.setState('reg-4', 'failed')
  await t.rejects(byKey('reg-4', key), {
    name: 'ProvisioningRegistrationFailedError',
    result: { registrationState: { errorCode: 400209 } },
  })
  dps.setState('reg-4', 'disabled')
  await t.rejects(byKey('reg-4', key), { name: 'SyntaxError', message: 'status is disabled' })
  dps.setState('reg-4', 'enabled')
  t.match(await byKey('reg-4', key), { assignedHub: assign.hub })
})

t.test('faults strike as often as they are told to', async t => {
  const key = dps.enrol('reg-5', { assign })
  dps.set({ kind: 'status', status: 404, times: 1 })
  await t.rejects(byKey('reg-5', key), { name: 'DeviceNotFoundError' })
  // The stock client goes on by itself after what was throttled.
  dps.set({ kind: 'status', status: 429, retryAfterSeconds: 1, on: 'register', times: 1 })
  t.match(await byKey('reg-5', key), { assignedHub: assign.hub })
  dps.set({ kind: 'connack', code: 3, times: 1 })
  await t.rejects(byKey('reg-5', key), { code: 3 })
  t.match(await byKey('reg-5', key), { assignedHub: assign.hub })
})
