/** A module's credential against a workload API that misbehaves: nothing hangs, nothing throws where nobody can catch. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import common from 'azure-iot-common'
import { Mqtt } from 'azure-iot-device-mqtt'
import t from 'tap'
import { edgeCredential } from '../../transports/edge.js'
import { type Identity, IdentityError } from '../../transports/identity.js'
import { createSecrets } from '../../transports/secrets.js'
import { makeAuthority } from '../hub/certificates.js'
import { startWorkload } from '../hub/edge-workload.js'

const { ca } = await makeAuthority('localhost')
const dir = await mkdtemp(join(tmpdir(), 'edge-'))
const key = Buffer.from('the key of the module').toString('base64')
const workload = await startWorkload({
  socketPath: join(dir, 'workload.sock'),
  connectionString: `HostName=my-hub.azure-devices.net;DeviceId=edge-1;ModuleId=recorder;SharedAccessKey=${key}`,
  ca,
})
t.teardown(async () => {
  await workload.stop()
  await rm(dir, { recursive: true, force: true })
})
t.afterEach(() => workload.heal())

const secrets = createSecrets()
const limitMs = 100
const credential = () => edgeCredential(workload.env, secrets, limitMs)
const asking = { signal: new AbortController().signal, tell: () => undefined }

/** As the supervisor opens it. */
const open = async (client: Identity['client']): Promise<void> => {
  const made = client(Mqtt)
  made.setRetryPolicy(new common.NoRetry())
  await made.open()
}

t.test('who it is stands in the environment, whom it trusts in the bundle', async t => {
  const identity = await credential().identify(asking)
  t.match(identity, {
    kind: 'edge',
    hub: 'my-hub.azure-devices.net',
    host: 'my-hub.azure-devices.net',
    gateway: false,
    deviceId: 'edge-1',
    moduleId: 'recorder',
    renewal: 'ours',
    expiresAt: null,
    trustBundle: ca,
    warnings: [],
  })
  t.equal(identity.deviceClient(Mqtt), null, 'IoT Hub does not let modules upload files')
})

t.test('silence has a limit, for the bundle and for a signature', async t => {
  const one = credential()
  const { client } = await one.identify(asking)
  workload.set('silent')
  const from = performance.now()
  await t.rejects(one.identify(asking), { name: 'IdentityError', message: /no answer within 100 ms/ })
  await t.rejects(open(client), { message: /no answer within 100 ms/ })
  t.ok(performance.now() - from < 30_000)
})

t.test('an answer that is none is an error, and the bundle that is known serves on', async t => {
  const one = credential()
  workload.set('garbage')
  await t.rejects(one.identify(asking), IdentityError)
  workload.heal()
  const { client } = await one.identify(asking)
  workload.set('garbage')
  await t.rejects(open(client), { message: /not what the workload API answers/ })
  const { trustBundle, warnings } = await one.identify(asking)
  t.equal(trustBundle, ca)
  t.match(warnings, [/^the workload API at unix:.* cannot be asked: the answer is not what/])
})

t.test('a stop does not wait for the daemon', async t => {
  workload.set('silent')
  const stop = new AbortController()
  const asked = credential().identify({ ...asking, signal: stop.signal })
  stop.abort()
  await t.rejects(asked, { message: /stopped before the workload API had answered/ })
})
