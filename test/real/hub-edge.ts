/** The local workload API serves the stock SDK: a module that is made from its environment connects through it. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import deviceSdk from 'azure-iot-device'
import { Mqtt } from 'azure-iot-device-mqtt'
import t from 'tap'
import { startWorkload } from '../hub/edge-workload.js'
import { startHub } from '../hub/hub.js'

const hub = await startHub({ hostName: 'my-hub.azure-devices.net' })
const dir = await mkdtemp(join(tmpdir(), 'workload-'))
await hub.addDevice('edge-1', { moduleIds: ['recorder'] })
const workload = await startWorkload({
  socketPath: join(dir, 'workload.sock'),
  connectionString: hub.connectionString('edge-1', 'recorder', { gateway: true }),
  ca: hub.ca,
})
t.teardown(async () => {
  await workload.stop()
  await hub.close()
  await rm(dir, { recursive: true, force: true })
})
Object.assign(process.env, workload.env)

t.test('the stock module client takes its trust and its token from it', async t => {
  const client = await deviceSdk.ModuleClient.fromEnvironment(Mqtt)
  await client.open()
  const subscribed = hub.waitFor(event => event.type === 'subscribe' && event.deviceId === 'edge-1')
  client.onMethod('greet', (_request, response) => response?.send(200, 'hello'))
  await subscribed
  const identity = { deviceId: 'edge-1', moduleId: 'recorder' }
  t.strictSame(await hub.invokeMethod(identity, { methodName: 'greet' }), { status: 200, payload: 'hello' })
  t.strictSame(workload.requests, ['GET /trust-bundle 200', 'POST /modules/recorder/genid/637000000000000000/sign 200'])
  await client.close()
})

t.test('it refuses, and is gone, when it is told to', async t => {
  workload.set('error')
  await t.rejects(deviceSdk.ModuleClient.fromEnvironment(Mqtt), { name: 'InternalServerError' })
  workload.heal()
  await workload.stop()
  await t.rejects(deviceSdk.ModuleClient.fromEnvironment(Mqtt), { code: 'ENOENT' })
  await workload.start()
  await (await deviceSdk.ModuleClient.fromEnvironment(Mqtt)).close()
})

t.test('it signs for no other module and no other generation', async t => {
  process.env.IOTEDGE_MODULEGENERATIONID = '1'
  const client = await deviceSdk.ModuleClient.fromEnvironment(Mqtt)
  await t.rejects(client.open(), { message: /no such module, or of another generation|Not found/ })
})
