/** The daemon with each kind of credential: what its status says, and what it remembers over a restart. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import type { Status } from '../../agent/status.js'
import { type KeyPair, makeAuthority } from '../hub/certificates.js'
import { makeSelfSigned, thumbprintOf } from '../hub/client-certificates.js'
import { startWorkload } from '../hub/edge-workload.js'
import { type Identity, startHub } from '../hub/hub.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())

async function gatewayOf(t: Test, connectionString: string, connection: object): Promise<Gateway> {
  const gateway = await Gateway.make(hub, connectionString, { connection, logLevel: 'trace' })
  t.teardown(() => gateway[Symbol.asyncDispose]())
  return gateway
}

const put = async (gateway: Gateway, name: string, text: string): Promise<void> => {
  await writeFile(join(gateway.dir, `${name}.new`), text)
  await rename(join(gateway.dir, `${name}.new`), join(gateway.dir, name))
}

const putPair = async (gateway: Gateway, { cert, key }: KeyPair): Promise<void> => {
  await put(gateway, 'key.pem', key)
  await put(gateway, 'cert.pem', cert)
}

const fromNow = (): number => hub.log.length

async function connected(t: Test, identity: Identity, from: number): Promise<void> {
  await hub.waitFor(event => event.type === 'subscribe' && event.deviceId === identity.deviceId, { from })
  const { status } = await hub.invokeMethod(identity, { methodName: 'ping' })
  t.equal(status, 200)
}

const statusOf = async (gateway: Gateway): Promise<Status | undefined> =>
  (await gateway.json<Status>('status', '--config', gateway.configFile))[0]

const stop = async (daemon: ChildProcess): Promise<void> => {
  const gone = once(daemon, 'exit')
  daemon.kill('SIGTERM')
  await gone
}

/** Where in what this gateway printed and wrote down a secret stands, in one of the forms that it may take. */
async function leaks({ output, stateDir }: Gateway, secret: string): Promise<string[]> {
  const ringDir = join(stateDir, 'ring')
  const names = await readdir(ringDir)
  const ring = await Promise.all(names.map(name => readFile(join(ringDir, name), 'utf8')))
  const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]
  const places = [['output', output] as const, ...names.map((name, at) => [name, ring[at] ?? ''] as const)]
  return places.flatMap(([name, text]) => (forms.some(form => text.includes(form)) ? [name] : []))
}

const x509 = { certFile: 'cert.pem', keyFile: 'key.pem' }

async function withConditions(gateway: Gateway): Promise<Status> {
  for (;;) {
    const status = await statusOf(gateway)
    if (status?.conditions.length) return status
  }
}

t.test('a certificate that ends soon is a lasting condition, until its successor is in use', async t => {
  const [old, renewed] = [await makeSelfSigned('pump-1', [-300, 12]), await makeSelfSigned('pump-1', [-1, 200])]
  await hub.addDevice('pump-1', { x509: { thumbprints: [old, renewed].map(thumbprintOf) } })
  const gateway = await gatewayOf(t, hub.connectionString('pump-1'), { x509 })
  await putPair(gateway, old)
  gateway.start()
  await connected(t, { deviceId: 'pump-1' }, 0)

  // What passes within ten seconds is not worth a word.
  const before = await withConditions(gateway)
  t.match(before, {
    device: { hub: /^localhost:\d+$/, deviceId: 'pump-1', moduleId: null },
    connection: { state: 'online' },
    conditions: [
      { code: 'credential-expiring', severity: 'warning', text: /client certificate ends in 1[12] days, at 2/ },
    ],
  })
  t.match(
    (await gateway.run('status', '--config', gateway.configFile)).out,
    /^warning +the client certificate ends in/m,
  )

  const from = fromNow()
  await putPair(gateway, renewed)
  hub.door('pump-1').cut('rst')
  await connected(t, { deviceId: 'pump-1' }, from)
  t.strictSame((await statusOf(gateway))?.conditions, [])
  const conditions = await gateway.json<LogRecord>('logs', '--config', gateway.configFile, '--type', 'condition')
  t.match(
    conditions.map(({ data }) => [data.code, data.state]),
    [
      ['credential-expiring', 'begun'],
      ['credential-expiring', 'over'],
    ],
  )
  for (const { key } of [old, renewed]) t.strictSame(await leaks(gateway, key.split('\n')[1] ?? ''), [])
})

t.test('a device with a certificate uploads a bundle through the hub', async t => {
  await hub.addDevice('pump-2', { x509: 'ca' })
  const gateway = await gatewayOf(t, hub.connectionString('pump-2'), { x509 })
  await putPair(gateway, await hub.issueClientCertificate('pump-2'))
  gateway.start()
  await connected(t, { deviceId: 'pump-2' }, 0)
  const from = fromNow()
  const asked = await hub.invokeMethod({ deviceId: 'pump-2' }, { methodName: 'UploadSupportBundle', payload: {} })
  t.match(asked, { status: 200, payload: { status: 'Running' } })
  t.match(await hub.waitFor(event => event.type === 'uploadDone', { from, timeoutMs: 60_000 }), {
    deviceId: 'pump-2',
    isSuccess: true,
  })
})

t.test('by DPS: the hub is known once it is assigned, kept over restarts, and followed when it changes', async t => {
  const dps = await hub.startDps()
  const key = Buffer.from('the key of the enrolment').toString('base64')
  await hub.addDevice('assigned-1', { key })
  dps.enrol('reg-1', { assign: hub.assignment('assigned-1'), key })
  const { endpoint, idScope } = dps
  const gateway = await gatewayOf(t, '', {
    dps: { endpoint, idScope, registrationId: 'reg-1', symmetricKeyFile: 'dps.key' },
    retry: { refusedCapSeconds: 1 },
  })
  await put(gateway, 'dps.key', `${key}\n`)

  dps.set({ kind: 'status', status: 503 })
  const daemon = gateway.start()
  await hub.waitFor(event => event.type === 'dps' && event.status === 503, { from: 0 })
  t.match(await withConditions(gateway), {
    device: { hub: null, deviceId: 'reg-1', moduleId: null },
    connection: { state: 'offline' },
    conditions: [{ code: 'credential-unavailable', severity: 'error', text: /refused with status 503/ }],
  })
  t.match((await gateway.run('status', '--config', gateway.configFile)).out, /^device +reg-1, no hub assigned yet$/m)
  dps.heal()
  await connected(t, { deviceId: 'assigned-1' }, 0)
  const device = { ...hub.assignment('assigned-1'), moduleId: null }
  t.match(await statusOf(gateway), { device, conditions: [] })
  await stop(daemon)
  t.match(await statusOf(gateway), { daemon: 'down', device }, 'the ring knows it too')

  const from = fromNow()
  gateway.start()
  await connected(t, { deviceId: 'assigned-1' }, from)
  t.notOk(
    hub.log.some(({ n, type }) => n >= from && type === 'dps'),
    'the service is not asked again',
  )

  await hub.addDevice('moved-1', { key })
  dps.assign('reg-1', hub.assignment('moved-1'))
  const moved = fromNow()
  await hub.deleteDevice('assigned-1')
  await connected(t, { deviceId: 'moved-1' }, moved)
  t.match(await statusOf(gateway), { device: { ...hub.assignment('moved-1'), moduleId: null } })
  const told = await gateway.json<LogRecord>('logs', '--config', gateway.configFile, '--type', 'wire')
  t.ok(told.some(({ data }) => data.type === 'provisioningDone' && data.reassigned === true))
  t.strictSame(await leaks(gateway, key), [])
})

t.test('as an IoT Edge module: the security daemon may come late, and be restarted', async t => {
  await hub.addDevice('edge-1', { moduleIds: ['recorder'] })
  const identity = { deviceId: 'edge-1', moduleId: 'recorder' }
  const gateway = await gatewayOf(t, '', { caFile: null })
  const workload = await startWorkload({
    socketPath: join(gateway.dir, 'workload.sock'),
    connectionString: hub.connectionString('edge-1', 'recorder', { gateway: true }),
    ca: hub.ca,
  })
  t.teardown(() => workload.stop())
  await workload.stop()
  gateway.start({ ...workload.env })
  t.match((await withConditions(gateway)).conditions, [{ code: 'credential-unavailable', text: /workload\.sock/ }])
  await workload.start()
  await connected(t, identity, 0)
  t.match(await statusOf(gateway), { device: { ...identity, hub: 'localhost' }, conditions: [] })

  const from = fromNow()
  await workload.stop()
  hub.door('edge-1').cut('rst')
  await withConditions(gateway)
  await workload.start()
  await connected(t, identity, from)
})

t.test(
  'caFile is read again for each attempt, and a root of one’s own that is missing is no certain interception',
  async t => {
    await hub.addDevice('pump-8')
    const gateway = await gatewayOf(t, hub.connectionString('pump-8'), { caFile: 'ca.pem', retry: { capSeconds: 0.2 } })
    const verdicts = async () =>
      (await gateway.json<Episode>('episodes', '--config', gateway.configFile)).map(({ verdict }) => verdict)
    await put(gateway, 'ca.pem', (await makeAuthority('localhost')).ca)
    gateway.start()
    let [verdict] = await verdicts()
    while (verdict?.cause !== 'tls-interception') [verdict] = await verdicts()
    t.match(verdict, { confidence: 'possible', runnersUp: [{ cause: 'tls-root-missing' }] })
    t.match(verdict.nextSteps[0], /^If the issuer is a root of your own, put that root into `connection\.caFile`/)
    await put(gateway, 'ca.pem', hub.ca)
    await connected(t, { deviceId: 'pump-8' }, 0)
    t.strictSame((await statusOf(gateway))?.conditions, [])

    const from = fromNow()
    await put(gateway, 'ca.pem', 'half of a fi')
    hub.door('pump-8').cut('rst')
    await connected(t, { deviceId: 'pump-8' }, from)
    t.match((await withConditions(gateway)).conditions, [
      { code: 'credential-doubtful', text: /^connection\.caFile: .*ca\.pem: expected at least one PEM certificate$/ },
    ])
  },
)

t.test('bad credentials end the start with 2, and every problem in a line', async t => {
  const gateway = await gatewayOf(t, `HostName=my hub;DeviceId=pump-9;x509=true`, { x509, caFile: 'nothing.pem' })
  const pair = await makeSelfSigned('pump-9')
  await putPair(gateway, { cert: pair.cert, key: (await makeSelfSigned('pump-9')).key })
  const daemon = gateway.start()
  const [code] = await once(daemon, 'close')
  t.equal(code, 2)
  const lines = gateway.output.split('\n').map(line => line.replaceAll(gateway.dir, 'DIR'))
  t.strictSame(lines.slice(1, -1), [
    '  connection.caFile: DIR/nothing.pem cannot be read: ENOENT',
    '  HUBREC_CONNECTION_STRING: HostName: found a space in it; expected a host name alone, with :PORT if one is needed',
    '  connection.x509.keyFile: DIR/key.pem: found the key of another certificate; expected the key of DIR/cert.pem',
  ])
  await rm(join(gateway.dir, 'key.pem'))
})
