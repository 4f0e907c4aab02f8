/** Each kind of credential over the real SDK against the local hub: it connects, answers, and takes what is renewed. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { provisioningRoads } from '../../agent/protocols.js'
import { systemClock } from '../../transports/clock.js'
import { type CredentialSettings, loadCredential } from '../../transports/credentials.js'
import type { Credential } from '../../transports/identity.js'
import type { Assignment } from '../../transports/provisioned.js'
import type { ProvisioningRoad } from '../../transports/provisioning.js'
import { createFindProxy } from '../../transports/proxy.js'
import { createSecrets, type Secrets } from '../../transports/secrets.js'
import { createTrust } from '../../transports/trust.js'
import type { WireEvent } from '../../transports/wire-event.js'
import type { KeyPair } from '../hub/certificates.js'
import { makeSelfSigned, thumbprintOf } from '../hub/client-certificates.js'
import type { Dps } from '../hub/dps.js'
import { startWorkload } from '../hub/edge-workload.js'
import { startProxy } from '../hub/http-proxy.js'
import { type Identity, startHub } from '../hub/hub.js'
import { breaches } from '../support/pairing.js'
import { type WatchedConnection, type WatchOptions, watchConnection } from '../support/watched-connection.js'

const hub = await startHub()
const dir = await mkdtemp(join(tmpdir(), 'creds-'))
t.teardown(async () => {
  await hub.close()
  await rm(dir, { recursive: true, force: true })
})

const none: CredentialSettings = { connectionStringFile: null, x509: null, sasTokenFile: null, dps: null }
const clock = systemClock()

/** As a renewer does it: the new file takes the old one's place at once. */
async function put(name: string, text: string): Promise<string> {
  const path = join(dir, name)
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
  return path
}

async function putPair(name: string, { cert, key }: KeyPair) {
  return { certFile: await put(`${name}.pem`, cert), keyFile: await put(`${name}-key.pem`, key), passphraseFile: null }
}

type Given = Readonly<{ settings?: Partial<CredentialSettings>; env?: NodeJS.ProcessEnv }>

/** A store that a test can look into. */
const shelf = (kept: Assignment | null = null) => {
  const held: { assignment: Assignment | null; writes: number } = { assignment: kept, writes: 0 }
  return {
    held,
    read: async () => held.assignment,
    write: async (assignment: Assignment) => {
      held.assignment = assignment
      held.writes += 1
    },
  }
}

type Way = Pick<ProvisioningRoad, 'port' | 'dial'>

async function load(
  { settings = {}, env = {} }: Given,
  secrets: Secrets = createSecrets(),
  store = shelf(),
  ways: readonly [Way, ...Way[]] = [{ port: 8883 }],
): Promise<Credential> {
  const around = {
    trust: createTrust(hub.ca, null),
    clock,
    secrets,
    timeoutsMs: { dns: 5_000, tcp: 5_000, tls: 5_000, accept: 1_000 },
    limitMs: 3_000,
  }
  const [first, ...others] = ways.map((way): ProvisioningRoad => ({ ...around, ...way }))
  const roads = () => [first!, ...others] as const
  return loadCredential({ settings: { ...none, ...settings }, env, provisioning: { store, roads } }, secrets)
}

type Watch = (credential: Credential, options?: Partial<WatchOptions>) => WatchedConnection

/** A test whose connections are stopped at its end, and then held against the pairing rule. */
function story(name: string, tell: (t: Test, watch: Watch) => Promise<void>): void {
  t.test(name, async t => {
    const watched: WatchedConnection[] = []
    try {
      await tell(t, (credential, options = {}) => {
        const given = { connectionString: '', credential, ca: hub.ca, renewalLookMs: 20, ...options }
        const connection = watchConnection(given)
        watched.push(connection)
        return connection
      })
    } finally {
      for (const connection of watched) await connection.stop()
    }
    for (const { told } of watched) t.strictSame(breaches(told.map(({ event }) => event)), [])
  })
}

async function answers(t: Test, connection: WatchedConnection, identity: Identity, from = 0): Promise<void> {
  await connection.next('subscribed', { from, where: ({ ok }) => ok })
  const { status } = await hub.invokeMethod(identity, { methodName: 'ping' })
  t.equal(status, 200)
}

const typesOf = (connection: WatchedConnection, wanted: readonly WireEvent['type'][]): string[] =>
  connection.told.flatMap(({ event: { type } }) => (wanted.includes(type) ? [type] : []))

const renewalTypes = ['renewalStarted', 'renewalDone', 'accepted', 'closed'] as const

story(
  'by a certificate that the hub knows by its thumbprint; a renewed one is taken by a planned reconnection',
  async (t, watch) => {
    const [first, second] = [await makeSelfSigned('pump-1', [-1, 10]), await makeSelfSigned('pump-1', [-1, 300])]
    await hub.addDevice('pump-1', { x509: { thumbprints: [first, second].map(thumbprintOf) } })
    const x509 = await putPair('pump-1', first)
    const secrets = createSecrets()
    const credential = await load(
      { settings: { x509 }, env: { HUBREC_CONNECTION_STRING: hub.connectionString('pump-1') } },
      secrets,
    )
    t.match(secrets.scrub(first.key).text, /^\[removed:private-key\]/)
    const connection = watch(credential)
    await answers(t, connection, { deviceId: 'pump-1' })
    const { credential: shown } = await connection.next('connecting')
    t.match(shown, { kind: 'x509', expiresAt: /^\d{4}-.*Z$/ })

    const from = connection.told.length
    // The key first: what does not belong together yet is left alone.
    await put('pump-1-key.pem', second.key)
    await put('pump-1.pem', second.cert)
    t.match(await connection.next('renewalStarted', { from }), { why: 'x509' })
    t.match(await connection.next('renewalDone', { from }), { ok: true })
    const next = await connection.next('connecting', { from })
    t.ok((next.credential?.expiresAt ?? '') > (shown?.expiresAt ?? ''), 'the newer one')
    await answers(t, connection, { deviceId: 'pump-1' }, from)
    t.strictSame(typesOf(connection, renewalTypes), ['accepted', 'renewalStarted', 'closed', 'accepted', 'renewalDone'])
  },
)

for (const protocol of ['amqp', 'amqp-ws'] as const) {
  story(
    `over ${protocol} a certificate that is not registered is refused at the first link, and a wait follows as after any refusal`,
    async (t, watch) => {
      const deviceId = `valve-${protocol}`
      const pair = await makeSelfSigned(deviceId)
      await hub.addDevice(deviceId, { x509: 'ca' })
      const x509 = await putPair(deviceId, pair)
      const env = { HUBREC_CONNECTION_STRING: hub.connectionString(deviceId) }
      const connection = watch(await load({ settings: { x509 }, env }), { protocol })
      t.match(await connection.next('closed'), {
        by: 'hub',
        how: 'goodbye',
        stage: 'auth',
        lastedMs: null,
        error: { name: 'AmqpError', code: 'amqp:unauthorized-access' },
      })
      t.match(await connection.next('retryScheduled'), { policy: 'refused' })
      hub.setCertificateRule({ deviceId }, { thumbprints: [thumbprintOf(pair)] })
      await answers(t, connection, { deviceId })
      t.strictSame(
        typesOf(connection, ['accepted', 'authorized', 'subscribed', 'refused']),
        ['accepted', 'subscribed'],
        'without any put-token',
      )
    },
  )
}

story('a module by a certificate of the registered authority', async (t, watch) => {
  await hub.addDevice('pump-2', { moduleIds: ['recorder'], x509: 'ca' })
  const x509 = await putPair('pump-2', await hub.issueClientCertificate('pump-2'))
  const credential = await load({
    settings: { x509 },
    env: { HUBREC_CONNECTION_STRING: hub.connectionString('pump-2', 'recorder') },
  })
  const connection = watch(credential)
  await answers(t, connection, { deviceId: 'pump-2', moduleId: 'recorder' })
})

story(
  'a certificate file that is gone at the next incarnation: it goes on with what it had, and says so',
  async (t, watch) => {
    await hub.addDevice('pump-3', { x509: 'ca' })
    const x509 = await putPair('pump-3', await hub.issueClientCertificate('pump-3'))
    const credential = await load({
      settings: { x509 },
      env: { HUBREC_CONNECTION_STRING: hub.connectionString('pump-3') },
    })
    const connection = watch(credential)
    await answers(t, connection, { deviceId: 'pump-3' })
    await rm(x509.certFile)
    const from = connection.told.length
    hub.door('pump-3').cut('rst')
    await answers(t, connection, { deviceId: 'pump-3' }, from)
    const signal = new AbortController().signal
    const { warnings } = await credential.identify({ signal, tell: () => undefined })
    t.match(warnings, [/^connection.x509.certFile: .*pump-3.pem: cannot be read: ENOENT/])
  },
)

story('by a token that somebody else renews: the newer one is taken, before the old one ends', async (t, watch) => {
  await hub.addDevice('pump-4')
  const token = (expiresInSeconds: number): string => hub.sasToken({ deviceId: 'pump-4' }, { expiresInSeconds })
  const connectionStringFile = await put(
    'pump-4.txt',
    hub.connectionString('pump-4').replace(/;SharedAccessKey=.*/, ''),
  )
  const first = token(600)
  const sasTokenFile = await put('pump-4.sas', first)
  const secrets = createSecrets()
  const connection = watch(await load({ settings: { connectionStringFile, sasTokenFile } }, secrets))
  await answers(t, connection, { deviceId: 'pump-4' })
  t.equal(secrets.scrub(first).text, '[removed:shared-access-signature]')
  t.match((await connection.next('connecting')).credential, { kind: 'sas', expiresAt: /Z$/ })

  const from = connection.told.length
  await put('pump-4.sas', token(3_600))
  t.match(await connection.next('renewalStarted', { from }), { why: 'sas' })
  t.match(await connection.next('renewalDone', { from }), { ok: true })
  await answers(t, connection, { deviceId: 'pump-4' }, from)
})

story(
  'a token that nobody has renewed is tried all the same, and its end is told with the attempt',
  async (t, watch) => {
    await hub.addDevice('pump-5')
    const sas = (expiresInSeconds: number): string => hub.sasToken({ deviceId: 'pump-5' }, { expiresInSeconds })
    const connectionString = (token: string): string =>
      hub.connectionString('pump-5').replace(/SharedAccessKey=.*/, `SharedAccessSignature=${token}`)
    const connectionStringFile = await put('pump-5.txt', connectionString(sas(-400)))
    const connection = watch(await load({ settings: { connectionStringFile } }))
    const { credential } = await connection.next('connecting')
    t.ok(Date.parse(credential?.expiresAt ?? '') < Date.now())
    t.match(await connection.next('refused'), { step: 'connack', code: 5 })
    const from = connection.told.length
    await put('pump-5.txt', connectionString(sas(3_600)))
    await answers(t, connection, { deviceId: 'pump-5' }, from)
  },
)

const dps: Dps = await hub.startDps()

async function provisioned(registrationId: string, deviceId: string) {
  const key = randomBytes(32).toString('base64')
  await hub.addDevice(deviceId, { key })
  dps.enrol(registrationId, { assign: hub.assignment(deviceId), key })
  const symmetricKeyFile = await put(`${registrationId}.key`, `${key}\n`)
  const { endpoint, idScope } = dps
  return { key, settings: { dps: { endpoint, idScope, registrationId, symmetricKeyFile, x509: null } } }
}

story('by DPS with a key: assigned, kept, and not asked again at the next start', async (t, watch) => {
  const { key, settings } = await provisioned('reg-1', 'assigned-1')
  const secrets = createSecrets()
  const store = shelf()
  const credential = await load({ settings }, secrets, store)
  t.match(credential.claims, { hub: null, deviceId: 'reg-1' })
  const connection = watch(credential)
  await answers(t, connection, { deviceId: 'assigned-1' })
  t.strictSame(
    connection.told.slice(0, 2).map(({ event }) => ({ ...event, monoMs: 0, id: '' })),
    [
      {
        type: 'provisioningStarted',
        monoMs: 0,
        protocol: 'mqtt',
        attempt: 0,
        id: '',
        scopeId: dps.idScope,
        registrationId: 'reg-1',
      },
      {
        type: 'provisioningDone',
        monoMs: 0,
        protocol: 'mqtt',
        attempt: 0,
        id: '',
        ok: true,
        hub: hub.assignment('assigned-1').hub,
        reassigned: false,
        error: null,
      },
    ],
  )
  t.equal(secrets.scrub(key).text, '[removed:shared-access-key]')
  t.strictSame(store.held.assignment, {
    ...hub.assignment('assigned-1'),
    endpoint: dps.endpoint,
    idScope: dps.idScope,
    registrationId: 'reg-1',
  })

  const from = hub.log.length
  const again = watch(await load({ settings }, createSecrets(), store))
  await again.next('accepted')
  t.strictSame(
    hub.log.filter(({ type, n }) => type === 'dps' && n >= from),
    [],
  )
})

story('by DPS with a certificate', async (t, watch) => {
  const pair = await hub.issueClientCertificate('reg-2')
  await hub.addDevice('assigned-2', { x509: { thumbprints: [thumbprintOf(pair)] } })
  dps.enrol('reg-2', { assign: hub.assignment('assigned-2'), x509: 'ca' })
  const { endpoint, idScope } = dps
  const x509 = await putPair('reg-2', pair)
  const connection = watch(
    await load({ settings: { dps: { endpoint, idScope, registrationId: 'reg-2', symmetricKeyFile: null, x509 } } }),
  )
  await answers(t, connection, { deviceId: 'assigned-2' })
  t.match((await connection.next('connecting')).credential, { kind: 'x509' })
})

story('a hub that refuses is asked about: another assignment is followed, and told', async (t, watch) => {
  const { key, settings } = await provisioned('reg-3', 'assigned-3')
  const store = shelf()
  const connection = watch(await load({ settings }, createSecrets(), store))
  await answers(t, connection, { deviceId: 'assigned-3' })
  await hub.addDevice('moved-3', { key })
  dps.assign('reg-3', hub.assignment('moved-3'))
  const from = connection.told.length
  await hub.deleteDevice('assigned-3')
  t.match(await connection.next('refused', { from }), { code: 5 })
  t.match(await connection.next('provisioningDone', { from }), {
    ok: true,
    reassigned: true,
    hub: hub.assignment('moved-3').hub,
  })
  await answers(t, connection, { deviceId: 'moved-3' }, from)
  t.match(store.held.assignment, { deviceId: 'moved-3' })
})

story(
  'after ten failures in a row it asks again, and goes on with what it had when nobody answers',
  async (t, watch) => {
    const { settings } = await provisioned('reg-4', 'assigned-4')
    await hub.door('assigned-4').set({ kind: 'refuse' })
    const { endpoint, idScope } = dps
    const store = shelf({ ...hub.assignment('assigned-4'), endpoint, idScope, registrationId: 'reg-4' })
    dps.set({ kind: 'status', status: 503 })
    const connection = watch(await load({ settings }, createSecrets(), store), { wait: async () => undefined })
    t.match(await connection.next('provisioningDone'), { ok: false, error: { code: '503' } })
    const before = connection.told.slice(
      0,
      connection.told.findIndex(({ event }) => event.type === 'provisioningStarted'),
    )
    t.equal(before.filter(({ event }) => event.type === 'closed').length, 10)
    dps.heal()
    await hub.door('assigned-4').heal()
    await answers(t, connection, { deviceId: 'assigned-4' })
  },
)

const provisioningFailures: Record<string, { before(): void; error: object; sinceMs?: number; healed?: () => void }> = {
  'a status of 401': {
    before: () => dps.set({ kind: 'status', status: 401, times: 1 }),
    error: { code: '401', from: { code: '401002' } },
  },
  'a status of 404': { before: () => dps.set({ kind: 'status', status: 404, times: 1 }), error: { code: '404' } },
  'a status of 503': { before: () => dps.set({ kind: 'status', status: 503, times: 1 }), error: { code: '503' } },
  'a sign-in that is refused': {
    before: () => dps.set({ kind: 'connack', code: 5, times: 1 }),
    error: { code: '401' },
  },
  'an answer that is no answer': {
    before: () => dps.set({ kind: 'malformed', times: 1 }),
    error: { code: 'BAD_ANSWER' },
  },
  'a connection that is closed': { before: () => dps.set({ kind: 'close', times: 1 }), error: { code: 'ECONNRESET' } },
  'a silent sign-in': {
    before: () => dps.set({ kind: 'silent', on: 'connect', times: 1 }),
    error: { code: 'ETIMEDOUT' },
  },
  'a silent answer': {
    before: () => dps.set({ kind: 'silent', on: 'register', times: 1 }),
    error: { code: 'ETIMEDOUT' },
  },
  'a registration that is disabled': {
    before: () => dps.setState('reg-5', 'disabled'),
    healed: () => dps.setState('reg-5', 'enabled'),
    error: { code: 'disabled' },
  },
  'an assignment that failed': {
    before: () => dps.setState('reg-5', 'failed'),
    healed: () => dps.setState('reg-5', 'enabled'),
    error: { code: '400209', message: /the hub is not linked/ },
  },
}
const fifth = await provisioned('reg-5', 'assigned-5')
for (const [name, { before, error, healed }] of Object.entries(provisioningFailures)) {
  story(`provisioning fails by ${name}: told with its code, tried again, and then it connects`, async (t, watch) => {
    before()
    const connection = watch(await load({ settings: fifth.settings }))
    t.match(await connection.next('provisioningDone'), { ok: false, hub: null, error })
    await connection.next('retryScheduled')
    healed?.()
    await answers(t, connection, { deviceId: 'assigned-5' })
  })
}

story('a service that throttles is asked again when it said, and not before', async (t, watch) => {
  dps.set({ kind: 'status', status: 429, retryAfterSeconds: 77, times: 1 })
  const waits: number[] = []
  const connection = watch(await load({ settings: fifth.settings }), {
    wait: async delayMs => void waits.push(delayMs),
  })
  t.match(await connection.next('provisioningDone'), { ok: false, error: { code: '429' } })
  await answers(t, connection, { deviceId: 'assigned-5' })
  t.strictSame(waits, [77_000])
})

story('a service that cannot be reached is told with the code of the network', async (t, watch) => {
  const settings = { dps: { ...fifth.settings.dps, endpoint: 'localhost:1' } }
  const connection = watch(await load({ settings }))
  t.match(await connection.next('provisioningDone'), { ok: false, error: { code: 'ECONNREFUSED' } })
})

async function edgeModule(deviceId: string) {
  await hub.addDevice(deviceId, { moduleIds: ['recorder'] })
  return startWorkload({
    socketPath: join(dir, `${deviceId}.sock`),
    connectionString: hub.connectionString(deviceId, 'recorder', { gateway: true }),
    ca: hub.ca,
  })
}

story('a module of IoT Edge: it trusts what the bundle says, and the workload API signs for it', async (t, watch) => {
  const workload = await edgeModule('edge-1')
  t.teardown(() => workload.stop())
  const connection = watch(await load({ env: workload.env }), { ca: null })
  const identity = { deviceId: 'edge-1', moduleId: 'recorder' }
  await answers(t, connection, identity)
  t.match(await connection.next('connecting'), { gateway: true, credential: { kind: 'edge', expiresAt: null } })

  // The security daemon is restarted while the session is cut.
  await workload.stop()
  const from = connection.told.length
  hub.door('edge-1').cut('rst')
  t.match(await connection.next('sdkError', { from, where: ({ during }) => during === 'identify' }), {
    error: { name: 'IdentityError', from: { code: 'ENOENT' } },
  })
  await workload.start()
  await answers(t, connection, identity, from)
})

story('a workload API that is down, in error or confused at start is waited for', async (t, watch) => {
  const workload = await edgeModule('edge-2')
  t.teardown(() => workload.stop())
  await workload.stop()
  const connection = watch(await load({ env: workload.env }), { ca: null })
  const told = async (pattern: RegExp, from: number): Promise<void> => {
    await connection.next('sdkError', {
      from,
      where: ({ during, error }) => during === 'identify' && pattern.test(error.message),
    })
  }
  await told(/ENOENT/, 0)
  workload.set('error')
  await workload.start()
  await told(/a fault that was set/, connection.told.length)
  workload.set('garbage')
  await told(/not what the workload API answers/, connection.told.length)
  workload.heal()
  await answers(t, connection, { deviceId: 'edge-2', moduleId: 'recorder' })
})

story(
  'over WebSocket and through a proxy the service is asked as well, and signs in with the certificate',
  async (t, watch) => {
    await using proxy = await startProxy()
    const { endpoint, idScope } = dps
    const pair = await hub.issueClientCertificate('reg-ws')
    await hub.addDevice('assigned-ws', { x509: { thumbprints: [thumbprintOf(pair)] } })
    dps.enrol('reg-ws', { assign: hub.assignment('assigned-ws'), x509: 'ca' })
    const x509 = await putPair('reg-ws', pair)
    const findProxy = createFindProxy({ url: proxy.url, credentials: null, env: {} }, createSecrets())
    const settings = { dps: { endpoint, idScope, registrationId: 'reg-ws', symmetricKeyFile: null, x509 } }
    const ports = { mqtt: 1, amqp: 1, https: 1 }
    const ways = provisioningRoads({ protocol: 'amqp', ports, dps: settings.dps }, findProxy)
    t.equal(ways.length, 1, 'a proxy lets nothing through but WebSocket')
    proxy.set({ kind: 'status', status: 407, times: 1 })
    const connection = watch(await load({ settings }, createSecrets(), shelf(), ways))
    t.match(await connection.next('provisioningDone'), { ok: false, error: { name: 'ProxyError', code: 'PROXY_407' } })
    await answers(t, connection, { deviceId: 'assigned-ws' })
    t.match(await connection.next('provisioningDone', { where: ({ ok }) => ok }), { reassigned: false })
    t.match(
      proxy.log.findLast(({ type }) => type === 'connect'),
      { target: endpoint, status: 200 },
    )
  },
)

story(
  'where the network has shut one way to the service, the other is taken, and first from then on',
  async (t, watch) => {
    const { key, settings } = await provisioned('reg-way', 'assigned-way')
    const [host = '', port = ''] = dps.endpoint.split(':')
    const ports = { mqtt: 1, amqp: 1, https: Number(port) }
    const elsewhere = { dps: { ...settings.dps, endpoint: host } }
    const ways = provisioningRoads({ protocol: 'mqtt', ports, dps: elsewhere.dps }, () => null)
    const connection = watch(await load({ settings: elsewhere }, createSecrets(), shelf(), ways))
    await answers(t, connection, { deviceId: 'assigned-way' })
    t.match(await connection.next('provisioningDone'), { ok: true, unreached: { code: 'ECONNREFUSED' } })

    const from = connection.told.length
    await hub.addDevice('moved-way', { key })
    dps.assign('reg-way', hub.assignment('moved-way'))
    await hub.deleteDevice('assigned-way')
    const again = await connection.next('provisioningDone', { from })
    t.match(again, { ok: true, reassigned: true })
    t.notOk('unreached' in again)
  },
)

story('a service that has refused is not asked in another way', async (t, watch) => {
  const { settings } = await provisioned('reg-no', 'assigned-no')
  dps.set({ kind: 'status', status: 401, times: 1 })
  const from = hub.log.length
  const ways = provisioningRoads(
    { protocol: 'amqp', ports: { mqtt: 1, amqp: 1, https: 1 }, dps: settings.dps },
    () => null,
  )
  const connection = watch(await load({ settings }, createSecrets(), shelf(), ways))
  t.match(await connection.next('provisioningDone'), { ok: false, error: { code: '401' } })
  t.strictSame(
    hub.log
      .slice(from)
      .filter(({ type }) => type === 'dps')
      .map(event => ('operation' in event ? event.operation : null)),
    ['connect', 'register'],
  )
  await answers(t, connection, { deviceId: 'assigned-no' })
})
