/** Through a proxy: which one is taken, what it is told, how it refuses, and that nobody hears its password. */
import { randomBytes } from 'node:crypto'
import { connect as connectTcp, createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import t from 'tap'
import { openBlob } from '../../agent/upload/blob.js'
import { parseConnectionString } from '../../transports/credentials.js'
import { createFileUpload } from '../../transports/file-upload.js'
import { createFindProxy, type HttpProxy, ProxyError } from '../../transports/proxy.js'
import { createSecrets } from '../../transports/secrets.js'
import { createTrust } from '../../transports/trust.js'
import type { ClosedEvent } from '../../transports/wire-event.js'
import { makeAuthority } from '../hub/certificates.js'
import { startProxy } from '../hub/http-proxy.js'
import { type Door, startHub } from '../hub/hub.js'
import { grown, resources, settled } from '../support/left-over.js'
import { breaches } from '../support/pairing.js'
import { watchConnection } from '../support/watched-connection.js'

const hub = await startHub()
t.teardown(() => hub.close())

let devices = 0
async function freshDevice(): Promise<{ deviceId: string; door: Door }> {
  const deviceId = `gateway-${++devices}`
  return { deviceId, door: await hub.addDevice(deviceId) }
}

const password = `p@ss:w/rd-${randomBytes(6).toString('hex')}`
const credentials = { user: 'gateway', password }

const proxyAt = (url: string, given: string | null = null, secrets = createSecrets()): HttpProxy =>
  createFindProxy({ url, credentials: given, env: {} }, secrets)('hub.example', 443)!

t.test('the environment names a proxy in its usual ways', async t => {
  const find = (env: NodeJS.ProcessEnv, host = 'my-hub.azure-devices.net', port = 443): string | null =>
    createFindProxy({ url: null, credentials: null, env }, createSecrets())(host, port)?.name ?? null
  t.equal(find({}), null)
  t.equal(find({ HTTPS_PROXY: 'http://proxy.example:3128' }), 'proxy.example:3128')
  t.equal(find({ https_proxy: 'http://lower.example:1', HTTPS_PROXY: 'http://upper.example:2' }), 'lower.example:1')
  t.equal(find({ ALL_PROXY: 'https://secure.example' }), 'secure.example:443')
  t.equal(find({ HTTPS_PROXY: 'proxy.example:8080' }), 'proxy.example:8080', 'as curl reads it')
  t.equal(find({ HTTP_PROXY: 'http://proxy.example:3128' }), null, 'it is for http')
  t.equal(find({ HTTPS_PROXY: 'http://[::1]:3128' }), '[::1]:3128')
  const noProxy = { HTTPS_PROXY: 'http://p.example:1', NO_PROXY: '.azure-devices.net,localhost:5000' }
  t.equal(find(noProxy), null)
  t.equal(find(noProxy, 'account.blob.core.windows.net'), 'p.example:1')
  t.equal(find(noProxy, 'localhost', 5000), null)
  t.equal(find(noProxy, 'localhost', 5001), 'p.example:1')
  t.equal(find({ HTTPS_PROXY: 'http://p.example:1', no_proxy: '*' }), null)
  t.equal(process.env.https_proxy, undefined, 'the environment of the process is as it was')
})

t.test(
  'what is configured wins over the environment, and what is wrong with it is said without its secrets',
  async t => {
    const env = { HTTPS_PROXY: 'http://other.example:1' }
    const source = { url: 'http://mine.example:2', credentials: null, env }
    t.equal(createFindProxy(source, createSecrets())('h', 443)?.name, 'mine.example:2')
    const problems = (url: string | null, given: string | null = null): readonly string[] => {
      try {
        createFindProxy({ url, credentials: given, env: {} }, createSecrets())
        return []
      } catch (error) {
        if (error instanceof ProxyError) return error.problems
        throw error
      }
    }
    const expected = 'expected http://HOST:PORT or https://HOST:PORT'
    t.strictSame(problems('socks5://user:geheim123@proxy:1080'), [`connection.proxy: found socks5://; ${expected}`])
    t.strictSame(problems('http://user:geheim123@'), [`connection.proxy: found no URL; ${expected}`])
    t.strictSame(problems('http://proxy:3128/path?x=1'), [`connection.proxy: found a path or a query; ${expected}`])
    t.strictSame(problems('http://a%zz:geheim123@proxy:1'), [
      'connection.proxy: found credentials with a bad escape; expected % and two hexadecimal digits',
    ])
    const file = 'connection.proxyCredentialsFile'
    t.strictSame(problems('http://proxy:1', 'geheim123'), [`${file}: expected one line, user:password`])
    t.strictSame(problems(null, 'user:geheim123'), [`${file}: there is no proxy that these credentials are for`])
  },
)

t.test('the password is a secret from the first moment, in each of its spellings', async t => {
  const secrets = createSecrets()
  const proxy = proxyAt(`http://gateway:${encodeURIComponent(password)}@proxy.example:3128`, null, secrets)
  const spellings = [password, encodeURIComponent(password), proxy.authorization()!, proxy.url().href]
  const { text } = secrets.scrub(spellings.join('\n'))
  t.notMatch(text, password.slice(-12))
  t.notMatch(text, Buffer.from(`gateway:${password}`).toString('base64').slice(8))
  t.notMatch(JSON.stringify(proxy), password.slice(-12), 'and an object that is printed does not show it')
})

const endOf = ({ by, how, stage, reason, error }: ClosedEvent): object => ({ by, how, stage, reason, error })

for (const protocol of ['mqtt-ws', 'amqp-ws'] as const) {
  const watch = (deviceId: string, proxy: HttpProxy, options: { tcp?: number; ca?: string } = {}) =>
    watchConnection({
      connectionString: hub.connectionString(deviceId),
      ca: options.ca ?? hub.ca,
      protocol,
      proxy,
      timeoutsMs: { tcp: options.tcp ?? 10_000 },
    })

  t.test(`${protocol}: a connection through a proxy tells each step, and answers methods`, async t => {
    const { deviceId, door } = await freshDevice()
    await using proxy = await startProxy({ credentials })
    const connection = watch(deviceId, proxyAt(proxy.url, `gateway:${password}`))
    await connection.next('subscribed')
    t.match(await hub.invokeMethod({ deviceId }, { methodName: 'ping' }), { status: 200 })
    await connection.stop()
    const told = connection.told.map(({ event }) => event)
    t.strictSame(
      told.slice(0, 6).map(({ type }) => type),
      // The proxy is named by its address, which needs no lookup.
      [
        'connecting',
        'tcpConnected',
        'proxyConnected',
        'tlsSecured',
        'upgraded',
        ...(protocol === 'mqtt-ws' ? ['accepted'] : ['attached']),
      ],
    )
    t.match(told[0], { host: 'localhost', port: door.port })
    t.match(told[2], { proxy: `127.0.0.1:${proxy.port}`, ms: Number })
    t.strictSame(breaches(told), [])
    t.match(
      proxy.log.find(({ type }) => type === 'connect'),
      {
        target: `localhost:${door.port}`,
        user: 'gateway',
        status: 200,
      },
    )
    t.notMatch(JSON.stringify(told), password.slice(-12))
  })

  t.test(`${protocol}: a proxy that says no is the one who refused, and nothing reaches the hub`, async t => {
    for (const given of [null, 'gateway:wrong-password']) {
      const { deviceId } = await freshDevice()
      await using proxy = await startProxy({ credentials })
      const connection = watch(deviceId, proxyAt(proxy.url, given))
      const refused = await connection.next('refused')
      t.match(await connection.next('retryScheduled'), { policy: 'network' })
      await connection.stop()
      t.match(refused, { step: 'proxy', code: 407, headers: { 'proxy-authenticate': 'Basic' } })
      t.strictSame(
        hub.log.filter(event => event.type === 'tcpOpened' && event.deviceId === deviceId),
        [],
      )
      t.strictSame(breaches(connection.told.map(({ event }) => event)), [])
    }
  })

  t.test(`${protocol}: a captive portal answers with its login page`, async t => {
    const { deviceId } = await freshDevice()
    await using proxy = await startProxy()
    proxy.set({ kind: 'portal', location: 'http://portal.example/login?from=me' })
    const connection = watch(deviceId, proxyAt(proxy.url))
    t.match(await connection.next('refused'), {
      step: 'proxy',
      code: 302,
      headers: { location: 'http://portal.example/login' },
    })
    proxy.heal()
    await connection.next('subscribed')
    await connection.stop()
  })

  t.test(`${protocol}: a proxy that is down, or does not answer, is named`, async t => {
    const { deviceId } = await freshDevice()
    const free = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => free.once('listening', resolve))
    const { port } = free.address() as { port: number }
    await new Promise(resolve => free.close(resolve))
    const down = watch(deviceId, proxyAt(`http://gateway:${encodeURIComponent(password)}@127.0.0.1:${port}`))
    t.match(endOf(await down.next('closed')), {
      by: 'network',
      how: 'error',
      stage: 'tcp',
      reason: null,
      error: { name: 'ProxyError', code: 'ECONNREFUSED', message: new RegExp(`^the proxy 127.0.0.1:${port}: `) },
    })
    await down.stop()
    t.notMatch(JSON.stringify(down.told), password.slice(-12))

    for (const [answer, how] of [
      ['', 'fin'],
      ['this is no HTTP\r\n\r\n', 'error'],
    ] as const) {
      const odd = createServer(socket => {
        socket.on('error', () => undefined)
        socket.once('data', () => socket.end(answer))
      })
      await new Promise<void>(resolve => odd.listen(0, '127.0.0.1', resolve))
      const { port: oddPort } = odd.address() as { port: number }
      const met = watch(deviceId, proxyAt(`http://127.0.0.1:${oddPort}`))
      t.match(endOf(await met.next('closed')), {
        by: 'network',
        how,
        stage: 'tcp',
        error: { name: 'ProxyError', message: new RegExp(`^the proxy 127.0.0.1:${oddPort}: `) },
      })
      await met.stop()
      odd.close()
    }

    await using proxy = await startProxy()
    proxy.set({ kind: 'silent', times: 1 })
    const silent = watch(deviceId, proxyAt(proxy.url), { tcp: 300 })
    t.strictSame(endOf(await silent.next('closed')), {
      by: 'us',
      how: 'timeout',
      stage: 'tcp',
      reason: 'slow',
      error: { name: 'ProxyError', message: `the proxy 127.0.0.1:${proxy.port} does not answer` },
    })
    await silent.next('subscribed')
    await silent.stop()
  })

  t.test(`${protocol}: a proxy that reads TLS is named by the issuer that it shows`, async t => {
    const { deviceId } = await freshDevice()
    await using proxy = await startProxy({ ca: hub.ca })
    proxy.set({ kind: 'intercept' })
    const connection = watch(deviceId, proxyAt(proxy.url))
    const closed = await connection.next('closed')
    await connection.stop()
    t.match(closed, { by: 'us', how: 'error', stage: 'tls', certificate: { knownRoot: null } })
    t.notMatch(closed.certificate?.issuer, /Local IoT Hub Root/)
    t.strictSame(
      hub.log.filter(event => event.type === 'connect' && event.deviceId === deviceId),
      [],
    )

    const trusting = watch(deviceId, proxyAt(proxy.url), { ca: `${hub.ca}\n${proxy.ca}` })
    const { certificate } = await trusting.next('tlsSecured')
    await trusting.next('subscribed')
    await trusting.stop()
    t.equal(certificate.issuer, closed.certificate?.issuer, 'also where the device trusts it')
  })

  t.test(`${protocol}: a tunnel that is cut is told like any socket`, async t => {
    const { deviceId } = await freshDevice()
    await using proxy = await startProxy()
    const connection = watch(deviceId, proxyAt(proxy.url))
    for (const how of ['fin', 'rst'] as const) {
      const from = connection.told.length
      await connection.next('subscribed', { from })
      proxy.cut(how)
      t.match(await connection.next('closed', { from }), { how, stage: 'session' })
    }
    await connection.stop()
  })
}

t.test('a proxy that is spoken to over TLS is verified like any server, and carries all of it', async t => {
  const { deviceId } = await freshDevice()
  await using proxy = await startProxy({ credentials })
  const authority = await makeAuthority('localhost')
  const server = createTlsServer(await authority.issue('good'), socket => {
    const inner = connectTcp(proxy.port, '127.0.0.1')
    socket.on('error', () => inner.destroy())
    inner.on('error', () => socket.destroy())
    socket.pipe(inner).pipe(socket)
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const given = proxyAt(`https://localhost:${port}`, `gateway:${password}`)
  const options = { connectionString: hub.connectionString(deviceId), protocol: 'amqp-ws', proxy: given } as const

  const stranger = watchConnection({ ...options, ca: hub.ca })
  t.match(endOf(await stranger.next('closed')), {
    by: 'network',
    how: 'error',
    stage: 'tcp',
    error: { name: 'ProxyError', message: new RegExp(`^the proxy localhost:${port}: `) },
  })
  await stranger.stop()
  t.strictSame(proxy.log, [], 'no password left for a proxy that is not trusted')

  const ca = `${hub.ca}\n${authority.ca}`
  const connection = watchConnection({ ...options, ca })
  await connection.next('subscribed')
  t.match(await hub.invokeMethod({ deviceId }, { methodName: 'ping' }), { status: 200 })
  await connection.stop()
  const secrets = createSecrets()
  const identity = parseConnectionString(options.connectionString, 'the test', secrets)
  const trust = createTrust(ca, null)
  const upload = createFileUpload({
    identity: () => identity,
    trust,
    host: 'localhost',
    httpsPort: hub.ports.https,
    secrets,
    findProxy: () => given,
  })
  const { correlationId } = await upload!.target('x.zip')
  await upload!.notify(correlationId, { ok: false, statusCode: 0, statusDescription: 'only a test' })
  server.close()
})

t.test('what goes through a proxy leaves nothing behind, whatever it meets there', async t => {
  const { deviceId } = await freshDevice()
  await using proxy = await startProxy()
  const before = resources()
  const connection = watchConnection({
    connectionString: hub.connectionString(deviceId),
    ca: hub.ca,
    protocol: 'mqtt-ws',
    proxy: proxyAt(proxy.url),
    timeoutsMs: { tcp: 50 },
    wait: async () => undefined,
  })
  await connection.next('subscribed')
  for (let round = 0; round < 10; round++) {
    for (const status of [403, 407, 502]) proxy.set({ kind: 'status', status, times: 2 })
    proxy.set({ kind: 'silent', times: 1 })
    const from = connection.told.length
    proxy.cut('rst')
    await connection.next('subscribed', { from })
  }
  await connection.stop()
  t.strictSame(await settled(() => grown(before, resources()), {}), {})
})

t.test("the hub's file upload and the storage are reached through the proxy, and a refusal is the proxy's", async t => {
  const { deviceId } = await freshDevice()
  await using proxy = await startProxy({ credentials })
  const secrets = createSecrets()
  const trust = createTrust(hub.ca, null)
  const identity = parseConnectionString(hub.connectionString(deviceId), 'the test', secrets)
  const upload = (given: HttpProxy) =>
    createFileUpload({
      identity: () => identity,
      trust,
      host: 'localhost',
      httpsPort: hub.ports.https,
      secrets,
      findProxy: () => given,
    })!
  const good = proxyAt(proxy.url, `gateway:${password}`)

  const target = await upload(good).target('bundle.zip')
  t.match(proxy.log.at(-1), { type: /connect|closed/, target: `localhost:${hub.ports.https}` })
  const url = `https://${target.hostName}/${target.containerName}/${target.blobName}${target.sasToken}`
  const blob = openBlob(url, { trust, findProxy: () => good })
  const id = Buffer.from('1').toString('base64')
  await blob.stage(id, Buffer.from('through the proxy'), AbortSignal.timeout(10_000))
  await blob.commit([id], {}, AbortSignal.timeout(10_000))
  blob.close()
  t.equal((await hub.readBlob(target.containerName, target.blobName)).toString(), 'through the proxy')
  t.ok(proxy.log.some(event => event.type === 'connect' && target.hostName.startsWith(event.target)))
  await upload(good).notify(target.correlationId, { ok: true, statusCode: 201, statusDescription: 'uploaded' })

  const stranger = proxyAt(proxy.url)
  const refusal = `the proxy 127.0.0.1:${proxy.port} refused with status 407 (it wants credentials, or others)`
  await t.rejects(upload(stranger).target('bundle.zip'), {
    message: new RegExp(refusal.replace(/[()]/g, '.')),
    passing: true,
  })
  const refused = openBlob(url, { trust, findProxy: () => stranger })
  await t.rejects(refused.stage(id, Buffer.from('x'), AbortSignal.timeout(10_000)), { status: null, code: 'PROXY_407' })
  refused.close()
})

t.test('a request that waits for a silent proxy is given up with all that belongs to it', async t => {
  const { deviceId } = await freshDevice()
  await using proxy = await startProxy()
  const before = resources()
  proxy.set({ kind: 'silent' })
  const secrets = createSecrets()
  const trust = createTrust(hub.ca, null)
  const identity = parseConnectionString(hub.connectionString(deviceId), 'the test', secrets)
  const given = proxyAt(proxy.url)
  const options = {
    identity: () => identity,
    trust,
    host: 'localhost',
    httpsPort: hub.ports.https,
    secrets,
    findProxy: () => given,
  }
  await t.rejects(createFileUpload({ ...options, callTimeoutMs: 200 })!.target('x'), { message: /did not answer/ })
  const blob = openBlob('https://localhost:1/a/b', { trust, findProxy: () => given })
  await t.rejects(blob.stage('MQ==', Buffer.from('x'), AbortSignal.timeout(200)), { code: 'ETIMEDOUT' })
  blob.close()
  t.strictSame(await settled(() => grown(before, resources()), {}), {})
})
