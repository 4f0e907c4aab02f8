/** The provisioning packages: loaded only by whom they are for, and missed with a word. And nothing is left of a question. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { systemClock } from '../../transports/clock.js'
import { loadCredential } from '../../transports/credentials.js'
import { type Enrolment, type ProvisioningRoad, problemOfPackages, register } from '../../transports/provisioning.js'
import { createSecrets } from '../../transports/secrets.js'
import { createTrust } from '../../transports/trust.js'
import { startHub } from '../hub/hub.js'

const hub = await startHub()
t.teardown(() => hub.close())
const dps = await hub.startDps()
t.afterEach(() => dps.heal())
await hub.addDevice('pump-1')
const key = dps.enrol('reg-1', { assign: hub.assignment('pump-1') })

const enrolment: Enrolment = {
  endpoint: dps.endpoint,
  idScope: dps.idScope,
  registrationId: 'reg-1',
  proof: { key },
}
const road: ProvisioningRoad = {
  port: 8883,
  trust: createTrust(hub.ca, null),
  clock: systemClock(),
  secrets: createSecrets(),
  timeoutsMs: { dns: 1_000, tcp: 1_000, tls: 1_000, accept: 1_000 },
  limitMs: 3_000,
}
const never = new AbortController().signal

t.test('a device with a key loads none of the packages', async t => {
  const script = `
    const { createRequire } = await import('node:module')
    const { loadCredential } = await import('./dist/transports/credentials.js')
    const { createSecrets } = await import('./dist/transports/secrets.js')
    const settings = { connectionStringFile: null, x509: null, sasTokenFile: null, dps: null }
    const env = { HUBREC_CONNECTION_STRING: 'HostName=h;DeviceId=d;SharedAccessKey=c2VjcmV0' }
    await loadCredential({ settings, env }, createSecrets())
    const loaded = Object.keys(createRequire(import.meta.url)('node:module')._cache)
    console.log(JSON.stringify({ device: loaded.some(file => file.includes('/azure-iot-device/')),
      provisioning: loaded.filter(file => /azure-iot-(provisioning|security)/.test(file)) }))`
  const env = { ...process.env, NODE_OPTIONS: '' }
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { env })
  t.strictSame(JSON.parse(stdout.toString() || `"${stderr}"`), { device: true, provisioning: [] })
})

t.test('where they are not installed, the start says what to install', async t => {
  const dir = t.testdir({ 'dps.key': key })
  const loadPackages = async (): Promise<never> => {
    throw Object.assign(new Error('no such package'), { code: 'ERR_MODULE_NOT_FOUND' })
  }
  const settings = {
    connectionStringFile: null,
    x509: null,
    sasTokenFile: null,
    dps: {
      endpoint: dps.endpoint,
      idScope: dps.idScope,
      registrationId: 'reg-1',
      symmetricKeyFile: join(dir, 'dps.key'),
      x509: null,
    },
  }
  const store = { read: async () => null, write: async () => undefined }
  const source = { settings, env: {}, provisioning: { store, roads: () => [road] as const, loadPackages } }
  await t.rejects(loadCredential(source, createSecrets()), {
    name: 'CredentialError',
    problems: [
      'connection.dps: found no provisioning packages; expected npm install azure-iot-provisioning-device azure-iot-provisioning-device-mqtt azure-iot-security-symmetric-key azure-iot-security-x509',
    ],
  })
  t.equal(await problemOfPackages(), null, 'here they are')
})

/** Sockets and timers that the process has open. */
const open = (): string[] =>
  process.getActiveResourcesInfo().filter(name => name === 'Timeout' || name === 'TCPSocketWrap' || name === 'TLSWrap')

const ends: Readonly<Record<string, () => void>> = {
  'it was answered': () => undefined,
  'it was refused': () => dps.set({ kind: 'status', status: 401, times: 1 }),
  'nobody answered': () => dps.set({ kind: 'silent', on: 'register' }),
  'nobody answered the sign-in': () => dps.set({ kind: 'silent', on: 'connect' }),
  'the connection was lost in the middle': () => dps.set({ kind: 'close', times: 1 }),
  'the answer could not be read': () => dps.set({ kind: 'malformed' }),
}
for (const [name, before] of Object.entries(ends)) {
  t.test(`nothing is left of a question when ${name}`, async t => {
    before()
    const resources = open().length
    const said = await register(enrolment, road, never).then(
      () => 'assigned',
      (error: Error) => error.name,
    )
    t.ok(['assigned', 'ProvisioningError'].includes(said), said)
    // The other side closes a tick later.
    const giveUp = performance.now() + 2_000
    while (open().length > resources && performance.now() < giveUp) await sleep(20)
    t.ok(open().length <= resources, `${open()}`)
  })
}

t.test('a stop ends it at once, also while it waits to ask again', async t => {
  const stop = new AbortController()
  const from = hub.log.length
  const asked = register(enrolment, { ...road, limitMs: 60_000 }, stop.signal)
  const refused = t.rejects(asked, { name: 'ProvisioningError', message: /stopped before/ })
  await hub.waitFor(event => event.type === 'dps' && event.status === 202, { from })
  const stoppedMs = performance.now()
  stop.abort()
  await refused
  t.ok(performance.now() - stoppedMs < 30_000, 'long before its own limit')
  await t.rejects(register(enrolment, road, stop.signal), { message: /stopped before/ })
})

t.test('the token that it signs in with is known for removal', async t => {
  const learnt: [kind: string, value: string][] = []
  const secrets = { ...createSecrets(), add: (kind: string, value: string) => void learnt.push([kind, value]) }
  await register(enrolment, { ...road, secrets }, never)
  const [first] = learnt
  t.match(first, [
    'shared-access-signature',
    /^SharedAccessSignature sr=.*registrations.*reg-1&sig=.+&skn=registration&se=/,
  ])
  t.ok(learnt.some(([kind]) => kind === 'signature'))
})
